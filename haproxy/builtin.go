package haproxy

import (
	_ "embed"
	"fmt"
	"strings"
)

// The built-in templates, for a proxy without its own: good practice for HAProxy 2.0 and
// later.
var (
	//go:embed templates/http.cfg
	builtinHTTP string
	//go:embed templates/tcp.cfg
	builtinTCP string
)

// Builtin has the parameters of the built-in templates.
type Builtin struct {
	// Mode is http or tcp.
	Mode    string
	Version Version
	// LogSocket is the path of a datagram socket for syslog; empty disables the log.
	LogSocket string
	// Root is true if HAProxy is started as root and stays root.
	Root bool
	// User and Password allow changes on the stats page, which is otherwise read-only.
	User, Password string
}

// Template returns the built-in template. Its maxconn follows [Frame.Files].
func (b Builtin) Template() (*Template, error) {
	t, err := ParseTemplate(b.text())
	if t != nil {
		t.autoMaxConn = true
	}
	return t, err
}

func (b Builtin) text() string {
	text := builtinHTTP
	if b.Mode == "tcp" {
		text = builtinTCP
	}
	log, useLog := "", ""
	if b.LogSocket != "" {
		log, useLog = fmt.Sprintf("    log %s local0 info\n", b.LogSocket), "    log global\n"
	}
	memory := ""
	if b.Version.PinsConnections() {
		// HAProxy 2.0 and 2.1 keep two buffers of 16 KB for each checked server.
		memory = "    tune.chksize 1024\n"
	}
	root := ""
	if b.Root && b.Version.warnsOfRoot() {
		root = "    uid 0\n    chroot /\n"
	}
	admin := ""
	if b.User != "" {
		admin = fmt.Sprintf("    stats auth %s\n    stats admin if TRUE\n", quote(b.User+":"+b.Password))
	}
	return strings.NewReplacer(
		"    # log\n", escape(log),
		"    # use log\n", useLog,
		"    # memory\n", memory,
		"    # root\n", root,
		"    # admin\n", escape(admin),
	).Replace(text)
}

// quote makes text one word: HAProxy takes everything between single quotes literally.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// escape protects text from the expansion of placeholders.
func escape(text string) string { return strings.ReplaceAll(text, "$", "$$") }

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

// The log formats of the built-in templates: those of `option httplog` and `option tcplog`,
// with the address of the server after its name.
const (
	requestFormat    = `log-format "%ci:%cp [%tr] %ft %b/%s@%si:%sp %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r"`
	connectionFormat = `log-format "%ci:%cp [%t] %ft %b/%s@%si:%sp %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"`
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
	text, format := builtinHTTP, requestFormat
	if b.Mode == "tcp" {
		text, format = builtinTCP, connectionFormat
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
		"    # log format\n", "    "+format+"\n",
		"    # memory\n", memory,
		"    # root\n", root,
		"    # admin\n", escape(admin),
	).Replace(text)
}

// quote makes text one word: HAProxy takes everything between single quotes literally.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// escape protects text from the expansion of placeholders.
func escape(text string) string { return strings.ReplaceAll(text, "$", "$$") }

package hactl

import (
	_ "embed"
	"fmt"
	"strings"
)

// The built-in templates, for a proxy that names none: good practice for
// HAProxy 2.0 and later.
var (
	//go:embed templates/http.cfg
	builtinHTTP string
	//go:embed templates/tcp.cfg
	builtinTCP string
)

// Builtin is what the built-in templates depend on.
type Builtin struct {
	// Mode is http or tcp.
	Mode    string
	Version Version
	// LogSocket is the path of a datagram socket that takes syslog; empty is no log.
	LogSocket string
	// User and Password open the stats page for changes. Without them it only
	// shows.
	User, Password string
}

// Text is the text of the template, to be parsed by [ParseTemplate].
func (b Builtin) Text() string {
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
	admin := ""
	if b.User != "" {
		admin = fmt.Sprintf("    stats auth %s\n    stats admin if TRUE\n", quote(b.User+":"+b.Password))
	}
	return strings.NewReplacer(
		"    # log\n", escape(log),
		"    # use log\n", useLog,
		"    # memory\n", memory,
		"    # admin\n", escape(admin),
	).Replace(text)
}

// quote makes one word of text, whatever is in it: between single quotes HAProxy
// takes everything as it is.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// escape makes text come through the expansion of placeholders as it is.
func escape(text string) string { return strings.ReplaceAll(text, "$", "$$") }

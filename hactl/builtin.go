package hactl

import _ "embed"

// The built-in templates, for a proxy that names none: good practice for
// HAProxy 2.0 and later, and a stats page that only shows.
var (
	//go:embed templates/http.cfg
	builtinHTTP string
	//go:embed templates/tcp.cfg
	builtinTCP string
)

// BuiltinTemplate is the text of the built-in template for a mode, http or tcp.
func BuiltinTemplate(mode string) string {
	if mode == "tcp" {
		return builtinTCP
	}
	return builtinHTTP
}

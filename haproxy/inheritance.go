package haproxy

import (
	"regexp"
	"slices"
	"strings"
)

// In a log-format of mode tcp, HAProxy 2.0 to 2.8 reject these, and 3.0 rejects an
// expression of an HTTP request; other versions log nothing for them.
var httpLogFormat = regexp.MustCompile(`%(?:\{[^}]*\})?(?:\[|(?:CC|CS|HM|HP|HPO|HQ|HU|HV|ID|ST|TR|Ta|Ti|Tq|Tr|cc|cs|hr|hrl|hs|hsl|r|st|tr|trg|trl)(?:[^A-Za-z]|$))`)

// httpOnly reports whether a line of a defaults section is for mode http only: HAProxy
// warns about it in each section of mode tcp, or rejects that section.
func httpOnly(words []string) bool {
	keyword, rest := words[0], words[1:]
	if keyword == "no" && len(rest) > 0 {
		keyword, rest = rest[0], rest[1:]
	}
	switch keyword {
	case "option":
		if len(rest) == 0 || rest[0] == "httpchk" { // a check has its own protocol
			return false
		}
		return slices.Contains([]string{"forwardfor", "originalto", "forwarded", "idle-close-on-response"}, rest[0]) ||
			hasAnyPrefix(rest[0], "http", "h1-", "accept-invalid-http", "accept-unsafe-violations-in-http")
	case "log-format", "log-format-sd", "error-log-format", "unique-id-format":
		return httpLogFormat.MatchString(strings.Join(rest, " "))
	case "balance":
		return len(rest) > 0 && hasAnyPrefix(rest[0], "uri", "url_param", "hdr", "rdp-cookie")
	case "cookie", "capture", "compression", "filter", "stats", "monitor-uri", "errorfile", "errorfiles", "errorloc", "errorloc302", "errorloc303", "http-error":
		return keyword != "filter" || slices.Contains(rest, "compression")
	case "http-request", "http-response", "http-after-response":
		return true
	}
	return false
}

func hasAnyPrefix(text string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}

// unfitForTCP reports whether groups of mode tcp cannot inherit the defaults before
// $backend unchanged.
func (t *Template) unfitForTCP() bool {
	return slices.ContainsFunc(t.defaults.all(), func(s Setting) bool { return httpOnly(s.Words) })
}

// renderTCPDefaults repeats the defaults before $backend without the lines for mode http
// only.
func (t *Template) renderTCPDefaults(out *page, values map[string]string) {
	lost := false
	out.text("defaults\n")
	for _, s := range t.defaults.all() {
		switch {
		case s.Words[0] == "mode":
		case httpOnly(s.Words):
			lost = lost || s.Words[0] == "log-format" || begins(s.Words, "option httplog")
		default:
			t.copyLine(out, s.Line, values)
		}
	}
	out.linef("mode tcp")
	switch {
	case lost && t.autoMaxConn: // it is a built-in one
		out.linef("%s", connectionFormat)
	case lost:
		out.linef("option tcplog")
	}
	out.text("\n")
}

// renderDefaultsAgain repeats the defaults before $backend for the sections after the
// groups of mode tcp. A defaults section with rules must have a name.
func (t *Template) renderDefaultsAgain(out *page, values map[string]string) {
	name := ""
	if t.defaults.name != "" {
		name = " " + t.defaults.name + ".again"
	}
	out.text("\ndefaults" + name + "\n")
	for _, s := range t.defaults.all() {
		t.copyLine(out, s.Line, values)
	}
}

// copyLine renders a line of the template at another place.
func (t *Template) copyLine(out *page, number int, values map[string]string) {
	now := out.now
	out.now = Place{Template: number}
	out.linef("%s", strings.TrimSpace(expand(t.lines[number-1].text, values)))
	out.now = now
}

// from returns the reference of an added section to its defaults. HAProxy 2.4 and later do
// not let a named defaults section serve both sections that name it and sections that do
// not.
func (t *Template) from(v Version) string {
	if t.defaults == nil || t.defaults.name == "" || !v.namesDefaults() {
		return ""
	}
	return " from " + t.defaults.name
}

// sectionLine returns the first line of an added section.
func sectionLine(keyword, name, from string) string { return keyword + " " + name + from + "\n" }

package haproxy

import (
	"slices"
	"strings"
)

// checkHeader is a header of a group's health check.
type checkHeader struct{ name, value string }

// splitCheck separates the headers from a group's httpchk if they follow its version, as
// in `GET /probe HTTP/1.1\r\nHost:\ www.example.com`, which HAProxy 2.8 and later reject.
// The request is returned as written. Anything that is not only headers is left alone.
func splitCheck(check string) (request string, headers []checkHeader, taken bool) {
	request, _, found := strings.Cut(check, `\r\n`)
	words := splitWords(check)
	if !found || len(words) != 3 || len(splitWords(request)) != 3 {
		return check, nil, false
	}
	lines := strings.Split(strings.TrimSuffix(words[2], "\r\n"), "\r\n")
	for _, line := range lines[1:] {
		name, value, isHeader := strings.Cut(line, ":")
		if !isHeader || name == "" || strings.ContainsAny(name, " \t\r\n") {
			return check, nil, false
		}
		headers = append(headers, checkHeader{name, strings.TrimSpace(value)})
	}
	return request, headers, true
}

// renderHTTPCheck renders a group's health check for the version of HAProxy, and the
// rules that the group inherits for it.
func (t *Template) renderHTTPCheck(out *page, b Backend, v Version, values map[string]string) {
	inherited := t.inheritedChecks(b, v)
	request, headers := requests(b, v, inherited)
	send := ""
	if b.Name == AnyGroup && strings.Contains(request, AnyGroup) {
		send, request = sendToGroup(request), ""
	}
	for _, h := range headers {
		send += " hdr " + h.name + " " + logFormat(h.value)
	}
	out.linef("%s", strings.TrimSuffix("option httpchk "+request, " "))
	if send != "" {
		out.linef("http-check send%s", send)
	}
	for _, s := range inherited {
		t.copyLine(out, s.Line, values)
	}
}

// requests returns the arguments of `option httpchk`, and the headers to be rendered as
// `http-check send`, unless another line does that already.
func requests(b Backend, v Version, inherited []Setting) (request string, headers []checkHeader) {
	request, headers, taken := splitCheck(b.HTTPCheck)
	sends := slices.ContainsFunc(inherited, func(s Setting) bool { return begins(s.Words, "http-check send") }) ||
		slices.ContainsFunc(b.Lines, func(line string) bool { return begins(splitWords(line), "http-check send") })
	if !taken || !v.sendsChecks() || sends {
		return b.HTTPCheck, nil
	}
	return request, headers
}

// inheritedChecks returns the inherited rules of health checks that must be repeated: from
// HAProxy 2.2 on, a backend's `option httpchk` drops them.
func (t *Template) inheritedChecks(b Backend, v Version) []Setting {
	if !v.forgetsChecks() || slices.ContainsFunc(b.Lines, func(line string) bool { return begins(splitWords(line), "http-check") }) {
		return nil
	}
	return slices.DeleteFunc(t.defaults.all(), func(s Setting) bool { return !repeatedCheck(s) })
}

// sendToGroup returns the arguments of `http-check send` that are the same as those of
// `option httpchk`, except that the name of the backend takes the place of [AnyGroup].
func sendToGroup(request string) string {
	words := splitWords(request)
	if len(words) == 1 {
		return " uri-lf " + logFormat(words[0])
	}
	send := " meth " + words[0] + " uri-lf " + logFormat(words[1])
	if len(words) > 2 {
		send += " ver " + words[2]
	}
	return send
}

// logFormat returns text as one word that HAProxy takes for a log-format, in which the name
// of the backend takes the place of [AnyGroup].
func logFormat(text string) string {
	return quote(strings.ReplaceAll(strings.ReplaceAll(text, "%", "%%"), AnyGroup, "%[be_name]"))
}

// repeatedCheck reports whether a line of the defaults is a rule of health checks that
// `option httpchk` drops.
func repeatedCheck(s Setting) bool {
	return s.Words[0] == "http-check" && !begins(s.Words, "http-check disable-on-404") && !begins(s.Words, "http-check send-state")
}

package haproxy

import (
	"regexp"
	"slices"
	"strings"
)

// rendersAnyGroup reports whether the configuration has the section [AnyGroup].
func (t *Template) rendersAnyGroup(f Frame) bool {
	if f.Discovered == nil {
		return false
	}
	way, _ := t.Carries(*f.Discovered, f.Version)
	return way == CarryBackends
}

// renderKinds renders the defaults of groups that are added at run time.
func (t *Template) renderKinds(out *page, f Frame, r renewal, values map[string]string) {
	for _, k := range t.renderedKinds(f) {
		t.renderKind(out, k, r, values)
	}
}

// renderKind renders the defaults of one kind of groups: what their backends inherit from
// the template's defaults, and all that is rendered in them except for servers.
func (t *Template) renderKind(out *page, k Kind, r renewal, values map[string]string) {
	out.text("\n" + sectionLine("defaults", k.Name, ""))
	for _, s := range t.defaults.all() {
		if k.settings.HTTPCheck == "" || !repeatedCheck(s) { // otherwise it follows the check
			t.copyLine(out, s.Line, values)
		}
	}
	t.renderSettings(out, k.settings, r, values)
}

// backendObstacle returns why the backend of a group cannot be added at run time, although
// its servers can; empty if it can.
func (t *Template) backendObstacle(b Backend, v Version) string {
	switch {
	case !v.addsBackends():
		return "HAProxy before 3.4 cannot add a backend"
	case b.Default:
		return "the group is the default backend, which a rule names"
	case b.ListenerPort != 0:
		return "the group has a listener of its own, which comes and goes by a reload"
	case b.Mode != "http" || b.Route == "":
		return "the group is not found by a map: that takes mode http, a route, and no acls"
	case t.defaults == nil:
		return "the template has no defaults before $backend"
	case !slices.ContainsFunc(t.sections, (*section).asksMaps):
		return "no section of mode http has $use_backend"
	case slices.ContainsFunc(t.sections, func(s *section) bool { return len(s.blocks["use_backend"]) > 0 && s.mode() != "http" }):
		return "a section that is not of mode http has $use_backend, and needs a rule for each group"
	case t.namesGroup(b.Name):
		return "the template names the group"
	}
	for _, s := range t.defaults.all() {
		if !inherits(s.Words) {
			return "a line `" + s.Words[0] + "` in the template's defaults was not tested with backends that are added, or makes HAProxy 3.4 crash"
		}
	}
	return t.settingsObstacle(b, v)
}

// inherits reports whether a backend that is added at run time works with a line in its
// defaults: all of these were tried with HAProxy 3.4.0. It dies when a backend is added from
// defaults with `errorfiles`, and when one logs with a profile.
func inherits(words []string) bool {
	if words[0] == "no" && len(words) > 1 {
		words = words[1:]
	}
	switch {
	case words[0] == "log" && slices.Contains(words, "profile"), words[0] == "http-error" && slices.Contains(words, "errorfiles"):
		return false
	case words[0] == "option" && len(words) > 1 && (words[1] == "external-check" || words[1] == "transparent"):
		return false
	}
	return slices.Contains([]string{
		"backlog", "balance", "clitcpka-cnt", "clitcpka-idle", "clitcpka-intvl", "compression", "cookie", "default-server", "default_backend",
		"dynamic-cookie-key", "email-alert", "errorfile", "errorloc", "errorloc302", "errorloc303", "error-log-format", "fullconn",
		"hash-balance-factor", "hash-preserve-affinity", "hash-type", "http-after-response", "http-check", "http-error", "http-request",
		"http-response", "http-reuse", "http-send-name-header", "log", "log-format", "log-tag", "max-keep-alive-queue",
		"max-session-srv-conns", "maxconn", "mode", "monitor-uri", "option", "persist", "rate-limit", "retries", "retry-on", "source",
		"srvtcpka-cnt", "srvtcpka-idle", "srvtcpka-intvl", "stats", "tcp-check", "tcp-request", "tcp-response", "timeout",
		"unique-id-format", "unique-id-header",
	}, words[0])
}

// settingsObstacle returns which of a group's settings cannot be in defaults; empty if all
// can. Those of discovered groups are the defaults of all of these.
func (t *Template) settingsObstacle(b Backend, v Version) string {
	for _, line := range b.Lines {
		words := splitWords(line)
		if len(words) == 0 || b.Discovered && strings.Contains(line, b.Name) || !fitsDefaults(words) {
			return "its own line `" + line + "` cannot be in defaults of groups"
		}
	}
	if !b.Discovered || !strings.Contains(b.HTTPCheck, b.Name) {
		return ""
	}
	return t.checkObstacle(b, v)
}

// checkObstacle returns why a health check that contains the group's name cannot be in the
// defaults of several groups; empty if it can.
func (t *Template) checkObstacle(b Backend, v Version) string {
	if _, _, taken := splitCheck(b.HTTPCheck); !taken && len(splitWords(b.HTTPCheck)) > 3 {
		return "its `httpchk` contains its name, and more than a method, a path and headers"
	}
	inherited := t.inheritedChecks(b, v)
	if slices.ContainsFunc(inherited, func(s Setting) bool {
		return begins(s.Words, "http-check send") || begins(s.Words, "http-check connect")
	}) {
		return "its `httpchk` contains its name, and the template has `http-check` rules of its own that send requests"
	}
	if slices.ContainsFunc(b.Lines, func(line string) bool { return begins(splitWords(line), "http-check") }) {
		return "its `httpchk` contains its name, and its lines have `http-check` rules"
	}
	return ""
}

// fitsDefaults reports whether a group's own line may be in a defaults section instead.
func fitsDefaults(words []string) bool {
	if words[0] == "no" {
		words = words[1:]
	}
	if len(words) == 0 {
		return false
	}
	return slices.Contains([]string{"compression", "default-server", "fullconn", "hash-type", "http-check", "http-reuse", "option", "retries", "retry-on", "timeout"}, words[0])
}

// namesGroup reports whether a rule or a sample of the template refers to a group.
func (t *Template) namesGroup(name string) bool {
	if !t.contains(name) {
		return false
	}
	if t.usesACL(name) || t.usesACL(name+"1") || t.usesACL(name+"2") {
		return true
	}
	sample := regexp.MustCompile(`\(` + regexp.QuoteMeta(name) + `[/,)]`)
	return slices.ContainsFunc(t.lines, func(l templateLine) bool {
		return len(l.words) > 1 && (l.words[0] == "use_backend" || l.words[0] == "default_backend") && l.words[1] == name ||
			len(l.words) > 0 && sample.MatchString(l.text)
	})
}

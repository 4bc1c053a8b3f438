package haproxy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// sectionTraps returns the sections that a version rejects or treats differently.
func (t *Template) sectionTraps(v Version) []Trap {
	traps := t.sameNames(v)
	for _, s := range t.sections {
		traps = append(traps, s.program()...)
		traps = append(traps, s.randomBalance(v)...)
		for _, l := range s.settings {
			if trap, lost := t.lostMails(l.Words, v); lost {
				trap.Line = l.Line
				traps = append(traps, trap)
			}
		}
	}
	return traps
}

// sameNames finds sections with the name of an earlier one. A frontend and a backend of the
// same name are accepted up to 3.2.
func (t *Template) sameNames(v Version) []Trap {
	var traps []Trap
	for i, s := range t.sections {
		if !s.proxy() || s.name == "" {
			continue
		}
		at := slices.IndexFunc(t.sections[:i], func(other *section) bool { return other.proxy() && other.name == s.name })
		if at < 0 {
			continue
		}
		first := t.sections[at]
		trap := Trap{
			Line:        s.line,
			Text:        fmt.Sprintf("`%s %s` has the name of `%s %s` on line %d", s.keyword, s.name, first.keyword, s.name, first.line),
			Remedy:      "rename one of them",
			Fatal:       true,
			HAProxySays: "has the same name as",
		}
		if s.keyword != first.keyword && s.keyword != "listen" && first.keyword != "listen" {
			if !v.warnsOfRemovals() {
				continue
			}
			trap.Text += ", which HAProxy 3.3 and later reject"
			trap.Remedy = "rename the frontend: no `use_backend` names it"
			trap.Fatal = v.rejectsSameNames()
		}
		traps = append(traps, trap)
	}
	return traps
}

// program finds a `program` section, which all versions reject without the master-worker
// mode.
func (s *section) program() []Trap {
	if s.keyword != "program" {
		return nil
	}
	return []Trap{{
		Line: s.line, End: s.end(),
		Text:        "a `program` section needs the master-worker mode, in which haproxy-zk does not start HAProxy, and HAProxy 3.3 removed it",
		Remedy:      "remove the section, and start the program as a service or a container of its own",
		Fatal:       true,
		HAProxySays: "'program'",
	}}
}

// end returns the last line of the section that is not a comment.
func (s *section) end() int {
	if len(s.settings) == 0 {
		return s.line
	}
	return s.settings[len(s.settings)-1].Line
}

// lostMails finds a line that sends mails, which HAProxy 3.3 and later ignore. A Lua script
// of the template is assumed to send them.
func (t *Template) lostMails(words []string, v Version) (Trap, bool) {
	if !begins(words, "email-alert mailers") || !v.warnsOfRemovals() || len(t.Global("lua-load"))+len(t.Global("lua-load-per-thread")) > 0 {
		return Trap{}, false
	}
	trap := Trap{
		Text:        "HAProxy 3.3 and later send no mails without a Lua script",
		Remedy:      "load the examples/lua/mailers.lua of this HAProxy with `lua-load` in the section global, or remove the `email-alert` lines",
		HAProxySays: "Legacy mailers",
	}
	if v.mailsByLua() {
		trap.Text = "no mails are sent: " + trap.Text
		trap.HAProxySays = "Lua mailers are not configured"
	}
	return trap, true
}

// randomBalance finds a section with several servers and no algorithm, which takes turns up
// to 3.2. The groups' backends have `balance roundrobin`.
func (s *section) randomBalance(v Version) []Trap {
	if !v.balancesAtRandom() || s.keyword != "backend" && s.keyword != "listen" || s.mode() == "log" ||
		s.servers() < 2 || s.has("balance") || s.has("dispatch") || s.has("transparent") || s.has("option transparent") {
		return nil
	}
	return []Trap{{
		Line:   s.line,
		Text:   "there is no `balance`: HAProxy 3.3 and later choose servers at random, earlier versions took turns",
		Remedy: "add `balance roundrobin` to take turns, or `balance random`",
		Note:   true,
	}}
}

// servers returns the number of the section's servers, without those that wait for the
// others to fail.
func (s *section) servers() int {
	n := 0
	for _, l := range s.settings {
		switch {
		case slices.Contains(l.Words, "backup"):
		case l.Words[0] == "server":
			n++
		case l.Words[0] == "server-template" && len(l.Words) > 2:
			n += templateServers(l.Words[2])
		}
	}
	return n
}

// templateServers returns the number of servers of a range: N or FROM-TO; 0 if it is
// invalid.
func templateServers(of string) int {
	from, to, isRange := strings.Cut(of, "-")
	if !isRange {
		from, to = "1", from
	}
	first, errFirst := strconv.Atoi(from)
	last, errLast := strconv.Atoi(to)
	if errFirst != nil || errLast != nil || last < first {
		return 0
	}
	return last - first + 1
}

// RootTraps returns what a version warns about at each start as root.
func (t *Template) RootTraps(v Version) []Trap {
	at := slices.IndexFunc(t.sections, func(s *section) bool { return s.keyword == "global" })
	if !v.warnsOfRoot() || at < 0 {
		return nil
	}
	var missing, remedy []string
	if len(t.Global("chroot")) == 0 {
		missing, remedy = append(missing, "`chroot`"), append(remedy, "`chroot /`")
	}
	if name, uid := t.User(); name+uid == "" {
		missing, remedy = append(missing, "`user`"), append(remedy, "`uid 0`")
	}
	if len(missing) == 0 {
		return nil
	}
	return []Trap{{
		Line:   t.sections[at].line,
		Text:   "HAProxy is started as root without " + strings.Join(missing, " and ") + ", which 3.4 and later warn about at each start",
		Remedy: "add " + strings.Join(remedy, " and ") + " to confirm that, or name an empty directory and an unprivileged user",
		Note:   true,
	}}
}

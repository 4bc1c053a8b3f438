package haproxy

import (
	"fmt"
	"slices"
	"strings"
)

// GroupTrap is a setting of a group, or one inherited from the template, that HAProxy
// accepts although it breaks the group.
type GroupTrap struct {
	Trap

	// Key is the group's key at fault, such as server-template or lines[0]; empty if Line
	// is one of the template.
	Key string
}

// GroupTraps returns settings that silently break a group, each with a remedy.
func (t *Template) GroupTraps(b Backend, v Version) []GroupTrap {
	g := groupLines(t, b)
	var traps []GroupTrap
	for _, find := range []func(Backend, []groupLine, Version) []GroupTrap{sessionsCut, cookiesOfSlots, tablesLost, keysMove, fullAtOnce} {
		traps = append(traps, find(b, g, v)...)
	}
	for _, l := range g {
		if trap, lost := t.lostMails(l.words, v); lost && l.key != "" { // those of the template are its own traps
			traps = append(traps, GroupTrap{trap, l.key})
		}
	}
	if b.HTTPCheck != "" {
		request, _ := requests(b, v, t.inheritedChecks(b, v))
		for _, trap := range LineTraps("option httpchk "+request, v) {
			traps = append(traps, GroupTrap{trap, "httpchk"})
		}
	}
	return traps
}

// groupLine is a line that applies to a group's backend.
type groupLine struct {
	words []string
	line  int    // of the template; 0 for the group's own
	key   string // of the group
}

// configuresServers reports whether the line has parameters of the group's servers.
func (l groupLine) configuresServers() bool {
	return l.words[0] == "server" || l.words[0] == "default-server"
}

func (l groupLine) newTrap(text, remedy string) GroupTrap {
	return GroupTrap{Trap{Line: l.line, Text: text, Remedy: remedy}, l.key}
}

// groupLines returns the lines that apply to a group's backend, in HAProxy's order: the
// inherited ones, those of its keys, its own and its servers'.
func groupLines(t *Template, b Backend) []groupLine {
	var lines []groupLine
	for _, s := range t.defaults.all() {
		lines = append(lines, groupLine{words: s.Words, line: s.Line})
	}
	if b.Balance != "" {
		lines = append(lines, groupLine{words: append([]string{"balance"}, splitWords(b.Balance)...), key: "balance"})
	}
	for i, line := range b.Lines {
		lines = append(lines, groupLine{words: splitWords(line), key: fmt.Sprintf("lines[%d]", i)})
	}
	return append(lines, groupLine{words: append([]string{"server"}, b.Servers.Params...), key: "server-template"})
}

// ChecksAgents reports whether the servers of a group have an agent check.
func (t *Template) ChecksAgents(b Backend) (checks bool) {
	for _, l := range groupLines(t, b) {
		if !l.configuresServers() {
			continue
		}
		for _, word := range l.words {
			checks = word == "agent-check" || checks && word != "no-agent-check"
		}
	}
	return checks
}

// SlowStarts reports whether the servers of a group get their full share of the requests
// only some time after they enter.
func (t *Template) SlowStarts(b Backend) (slow bool) {
	for _, l := range groupLines(t, b) {
		slow = slow || l.configuresServers() && slices.Contains(l.words, "slowstart")
	}
	return slow
}

// effective returns the last of the lines that begin with a keyword, which applies.
func effective(lines []groupLine, keyword string) (groupLine, bool) {
	for _, l := range slices.Backward(lines) {
		if l.words[0] == keyword {
			return l, true
		}
	}
	return groupLine{}, false
}

func (l groupLine) contains(words ...string) bool {
	for i := range l.words {
		if begins(l.words[i:], strings.Join(words, " ")) {
			return true
		}
	}
	return false
}

// fullAtOnce finds a minconn that has no effect: HAProxy derives fullconn, which it
// depends on, from the frontends whose rules name the backend. Those that ask a map name
// none, and fullconn is 1.
func fullAtOnce(b Backend, lines []groupLine, _ Version) []GroupTrap {
	_, set := effective(lines, "fullconn")
	if b.Route == "" || b.Default || b.ListenerPort != 0 || set {
		return nil
	}
	for _, l := range slices.Backward(lines) {
		if l.configuresServers() && l.contains("minconn") {
			return []GroupTrap{l.newTrap(
				"`minconn` has no effect: a group that is found by its route has a `fullconn` of 1 by default",
				"add `fullconn` to the lines of the group, such as a tenth of the listener's maxconn",
			)}
		}
	}
	return nil
}

// sessionsCut finds settings that cut the running requests of a deregistered instance:
// HAProxy treats maintenance like a server that is down.
func sessionsCut(b Backend, lines []groupLine, _ Version) []GroupTrap {
	if b.DrainTimeout > 0 {
		return nil
	}
	for _, l := range slices.Backward(lines) {
		if l.configuresServers() && l.contains("on-marked-down", "shutdown-sessions") {
			return []GroupTrap{l.newTrap(
				"`on-marked-down shutdown-sessions` cuts the running requests of an instance that is deregistered",
				"set drain_timeout to the longest duration of a request, such as \"30s\", or remove on-marked-down",
			)}
		}
	}
	return nil
}

// cookiesOfSlots finds cookies with the same value for every slot, or for none.
func cookiesOfSlots(b Backend, lines []groupLine, _ Version) []GroupTrap {
	cookie, used := effective(lines, "cookie")
	if !used || b.Mode != "http" {
		return nil
	}
	const remedy = "write `cookie NAME insert dynamic` and a line `dynamic-cookie-key KEY`, and no cookie in server-template or default-server: then each instance has its own value"
	for _, l := range slices.Backward(lines) {
		if l.configuresServers() && l.contains("cookie") {
			return []GroupTrap{l.newTrap("every slot has the same cookie value: all clients with a cookie go to one instance", remedy)}
		}
	}
	if !cookie.contains("dynamic") {
		return []GroupTrap{cookie.newTrap("no slot has a cookie value: no cookie is ever set, and clients are not sticky", remedy)}
	}
	return nil
}

// tablesLost finds stick tables that a reload empties.
func tablesLost(_ Backend, lines []groupLine, _ Version) []GroupTrap {
	var traps []GroupTrap
	for _, l := range lines {
		if l.words[0] == "stick-table" && !l.contains("peers") {
			traps = append(traps, l.newTrap(lostTable, lostTableRemedy))
		}
	}
	return traps
}

const (
	lostTable       = "every reload empties this stick table: clients lose their instance, and counters restart at 0"
	lostTableRemedy = "write a section `peers` with one peer named after this host, and `peers NAME` after the table: reloads then keep the entries"
)

// keysMove finds hashes that spread all keys anew whenever an instance comes or goes.
func keysMove(b Backend, lines []groupLine, _ Version) []GroupTrap {
	l, hashes := hashing(b, lines)
	if kind, set := effective(lines, "hash-type"); !hashes || set && kind.contains("hash-type", "consistent") {
		return nil
	}
	return []GroupTrap{l.newTrap("every instance that comes, goes or fails moves most keys to other instances: the hash is over the list of those in service",
		"add `hash-type consistent` to lines")}
}

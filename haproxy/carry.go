package haproxy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Carry is a way to give the instances of a group servers.
type Carry string

const (
	// CarrySlots renders servers ahead of need; an instance gets the address of one. Every
	// version can do it, and a reload adds more.
	CarrySlots Carry = "slots"
	// CarryServers adds a server for each instance and deletes it afterwards, without a
	// reload.
	CarryServers Carry = "servers"
	// CarryBackends is CarryServers for a group whose backend is added and deleted without a
	// reload, too.
	CarryBackends Carry = "backends"
	// CarryAuto is as a setting the last of these that is possible.
	CarryAuto Carry = "auto"
)

// Carries returns the way to give the instances of a backend servers, which is never
// [CarryAuto]. If that is not what the backend's Carry asks for, reason says why in one
// line.
func (t *Template) Carries(b Backend, v Version) (way Carry, reason string) {
	if b.Carry == "" || b.Carry == CarrySlots {
		return CarrySlots, ""
	}
	if reason = t.dynamicObstacle(b, v); reason != "" {
		return CarrySlots, reason
	}
	if b.Carry == CarryServers {
		return CarryServers, ""
	}
	if reason = t.backendObstacle(b, v); reason == "" {
		return CarryBackends, ""
	}
	if b.Carry == CarryAuto {
		reason = "" // it asks for nothing
	}
	return CarryServers, reason
}

// Dynamic reports whether servers are added and deleted at run time.
func (c Carry) Dynamic() bool { return c == CarryServers || c == CarryBackends }

// CarryTraps returns, as a note, why a backend is not carried as its key carry asks for. The
// setting auto asks for nothing.
func (t *Template) CarryTraps(b Backend, v Version) []GroupTrap {
	way, reason := t.Carries(b, v)
	if !b.Carry.Dynamic() || way == b.Carry {
		return nil
	}
	return []GroupTrap{{
		Trap: Trap{Text: fmt.Sprintf("carried by %s, not by %s: %s", way, b.Carry, reason), Remedy: fmt.Sprintf("remove the obstacle, or set carry to \"auto\" or %q", way), Note: true},
		Key:  "carry",
	}}
}

// dynamicObstacle returns why a backend cannot have servers that are added at run time;
// empty if it can.
func (t *Template) dynamicObstacle(b Backend, v Version) string {
	if reason := v.dynamicServersBroken(); reason != "" {
		return reason
	}
	lines := groupLines(t, b)
	if reason := staticAlgorithm(b, lines); reason != "" {
		return reason
	}
	if strings.Contains(b.Name, "/") || !addressable.MatchString(b.Name) {
		return fmt.Sprintf("HAProxy takes no command for a backend named %q", b.Name)
	}
	for _, l := range lines {
		switch {
		case l.key != "server-template" && l.words[0] == "server":
			return "the group has a server of its own in its lines"
		case l.words[0] == "use-server":
			return "`use-server` names a server of the group, which need not exist"
		case l.words[0] == "cookie" && b.Mode == "http" && l.contains("dynamic"):
			return "a dynamic cookie of servers that are added later was not tested"
		}
	}
	if t.namesServers(b) {
		return "the template names a server of the group"
	}
	if _, reason := dynamicSettings(lines); reason != "" {
		return reason
	}
	return ""
}

// addressable are the characters of a backend's name on the stats socket.
var addressable = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)

// staticAlgorithm returns why the backend's algorithm allows no servers to be added; empty
// if it does.
func staticAlgorithm(b Backend, lines []groupLine) string {
	l, set := effective(lines, "balance")
	if !set || len(l.words) < 2 || b.Mode == "tcp" && l.line > 0 && httpOnly(l.words) {
		return "" // rendered as roundrobin
	}
	if _, hashes := hashing(b, lines); hashes {
		if kind, set := effective(lines, "hash-type"); !set || !kind.contains("hash-type", "consistent") {
			return fmt.Sprintf("`balance %s` without `hash-type consistent` cannot have servers added", l.words[1])
		}
		return ""
	}
	name, _, _ := strings.Cut(l.words[1], "(")
	if !slices.Contains([]string{"roundrobin", "leastconn", "random"}, name) {
		return fmt.Sprintf("`balance %s` cannot have servers added", l.words[1])
	}
	return ""
}

// namesServers reports whether a line of the template names a slot of the group.
func (t *Template) namesServers(b Backend) bool {
	begins := b.Name + "/" + b.Servers.Prefix
	if !t.contains(begins) {
		return false
	}
	name := regexp.MustCompile(`\b` + regexp.QuoteMeta(begins) + `[0-9]`)
	return slices.ContainsFunc(t.lines, func(l templateLine) bool { return name.MatchString(l.text) })
}

// contains reports whether a line or a word of the template contains a text: a regular
// expression for each of many groups takes much longer.
func (t *Template) contains(text string) bool {
	has := func(s string) bool { return strings.Contains(s, text) }
	return slices.ContainsFunc(t.lines, func(l templateLine) bool { return has(l.text) || slices.ContainsFunc(l.words, has) })
}

package haproxy

import (
	"iter"
	"net/netip"
	"strconv"
	"strings"
)

// ParseRows returns the slots that a rendered configuration gives a backend: those with an
// instance, as they are, and the others free. They are at least as many as the template
// has. What is not understood is left free.
func (s ServerTemplate) ParseRows(configuration, backend string) []Row {
	rows := make([]Row, s.Size())
	for words := range serverLines(configuration, backend) {
		switch words[0] {
		case "server":
			if at := s.slotOf(words[1]); at >= 0 {
				rows = grown(rows, at)
				if addr, err := netip.ParseAddrPort(words[2]); err == nil {
					rows[at] = Row{Addr: addr, Disabled: words[len(words)-1] == "disabled"}
				}
			}
		case "server-template":
			if _, last, is := strings.Cut(words[2], "-"); is {
				if at := s.slotOf(words[1] + last); at >= 0 {
					rows = grown(rows, at)
				}
			}
		}
	}
	return rows
}

// ParseNamedRows returns the servers that a rendered configuration gives a backend whose
// servers are named after their addresses. What is not understood is left out.
func ParseNamedRows(configuration, backend string) (rows []Row) {
	for words := range serverLines(configuration, backend) {
		addr, named := ParseAddressName([]byte(words[1]))
		if words[0] == "server" && named && words[2] == addr.String() {
			rows = append(rows, Row{Addr: addr, Disabled: words[len(words)-1] == "disabled", Named: true})
		}
	}
	return rows
}

// serverLines iterates over the lines of a backend in a rendered configuration that may be
// those of servers, split into words, at least three.
func serverLines(configuration, backend string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		inside := false
		for line := range strings.Lines(configuration) {
			words := strings.Fields(line)
			if len(words) == 0 || strings.HasPrefix(words[0], "#") {
				continue
			}
			if line[0] != ' ' && line[0] != '\t' {
				inside = len(words) > 1 && words[0] == "backend" && words[1] == backend
				continue
			}
			if inside && len(words) > 2 && !yield(words) {
				return
			}
		}
	}
}

// slotOf returns the slot of a server's name; -1 if it is none of the template's.
func (s ServerTemplate) slotOf(name string) int {
	number, is := strings.CutPrefix(name, s.Prefix)
	n, err := strconv.Atoi(number)
	if at := n - s.First; is && err == nil && at >= 0 && at < MaxSlots {
		return at
	}
	return -1
}

// grown returns rows of which one is at.
func grown(rows []Row, at int) []Row {
	for len(rows) <= at {
		rows = append(rows, Row{})
	}
	return rows
}

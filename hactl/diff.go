package hactl

import (
	"net/netip"
	"slices"
)

// operation is one server and the commands that set it right. When all of them
// are confirmed the server is as after says; else it is unknown.
type operation struct {
	group    *group
	slot     int
	commands []Command
	after    Server
}

// diff returns the operations that make the servers of one group, as a worker is
// believed to have them, those of its slots: what to take out of service, and
// what to put into it. Slots that the worker does not have yet wait for the
// reload that brings them.
func diff(g *group, have []Server) (off, on []operation) {
	slots := g.table.Slots
	for i, want := range slots[:min(len(slots), len(have))] {
		h := have[i]
		if want.matches(h) {
			continue
		}
		server := g.server(i)
		state := want.admin()
		switch {
		case !want.placed():
			off = append(off, vacating(g, i, h))
		case h.Addr == want.Addr && (state != Ready || h.Admin == Ready):
			off = append(off, operation{g, i, adjust(server, want, h), Server{Addr: h.Addr, Admin: state, Weight: want.weight()}})
		default:
			var commands []Command
			if h.Addr != want.Addr {
				if h.Admin != Maint {
					// No request may reach the new address on the strength of
					// the old one's health.
					off = append(off, operation{g, i, []Command{setState(server, string(Maint))}, Server{Addr: h.Addr, Admin: Maint, Weight: h.Weight}})
				}
				commands = append(commands, setAddr(server, want.Addr))
			}
			on = append(on, operation{g, i, append(commands, enter(server, want, h)...), Server{Addr: want.Addr, Admin: state, Weight: want.weight()}})
		}
	}
	return off, on
}

// vacating takes a server out of service, with the mark that it is not an operator
// who does.
func vacating(g *group, slot int, have Server) operation {
	server := g.server(slot)
	return operation{g, slot, []Command{setState(server, string(Maint)), setWeight(server, NoWeight)}, Server{Addr: have.Addr, Admin: Maint, Weight: NoWeight}}
}

// sequence puts the operations of all backends in the order in which a worker
// is to carry them out. An address that moves leaves its old place before it
// enters the new one: it never serves two groups. Apart from that, what enters
// goes before what leaves: HAProxy serves between two commands, and a group
// whose instances are all replaced must not be empty in between.
func sequence(off, on []operation) []operation {
	type place struct {
		group *group
		slot  int
	}
	entering, reused := make(map[netip.AddrPort]bool), make(map[place]bool)
	for _, op := range on {
		entering[op.after.Addr], reused[place{op.group, op.slot}] = true, true
	}
	var first, last []operation
	for _, op := range off {
		if entering[op.after.Addr] || reused[place{op.group, op.slot}] {
			first = append(first, op)
		} else {
			last = append(last, op)
		}
	}
	return slices.Concat(first, on, last)
}

// enter returns the commands that bring a server, whose address is right, to
// the state that its slot wants. With `health down` it takes traffic from its
// first good check on; before `ready` HAProxy would ignore it.
func enter(server string, want Slot, have Server) []Command {
	var commands []Command
	if have.Weight != want.weight() {
		commands = append(commands, setWeight(server, want.weight()))
	}
	commands = append(commands, setState(server, string(want.admin())))
	if want.Down && want.admin() == Ready {
		commands = append(commands, Command{server, "health", "down"})
	}
	return commands
}

// adjust returns the commands that give a server what an operator wants.
func adjust(server string, want Slot, have Server) []Command {
	var commands []Command
	if have.Admin != want.admin() {
		commands = append(commands, setState(server, string(want.admin())))
	}
	if have.Weight != want.weight() {
		commands = append(commands, setWeight(server, want.weight()))
	}
	return commands
}

// observation is what reading a server's real state tells of it.
type observation struct {
	// drift is true when the worker had confirmed what is wanted and has something else.
	drift bool
	// operator is true when an operator changed the administrative state or weight
	// of a server whose address is right; of one that is leaving, took it out.
	operator bool
}

// observe compares a server, as a worker says it has it, with what was believed.
func observe(want Slot, believed, actual Server) observation {
	switch {
	case want.matches(actual) || !want.matches(believed):
		return observation{}
	case want.weight() != NoWeight && actual.Admin != Ready && actual.Weight == NoWeight:
		// What was asked of it, or of a worker before it, was done late.
		return observation{drift: true}
	case actual.Addr == want.Addr && (want.Used || want.leaving() && actual.Admin == Maint):
		return observation{operator: true}
	}
	return observation{drift: true}
}

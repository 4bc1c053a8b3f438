package slots

import (
	"net/netip"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// Operation is a list of commands for one server. Once all of them are confirmed the
// server equals After; otherwise its state is unknown.
type Operation struct {
	// Backend and Slot identify the server, Server is its name: BACKEND/SERVER.
	Backend  string
	Slot     int
	Server   string
	Commands []haproxy.Command
	After    haproxy.Server
}

// Diff returns the operations that make a worker's known servers of one backend match
// the slots: those that take servers out of service, and those that put them into it.
// Slots that the worker does not have yet are skipped; the reload that adds them
// renders them. Servers that it lacks are added if the carrier can.
func Diff(c Carrier, slots []Slot, have []haproxy.Server) (off, on []Operation) {
	backend := c.Backend()
	for i := range slots[:min(len(slots), len(have))] {
		if slots[i].matches(&have[i]) {
			continue
		}
		want, h := slots[i], have[i]
		server := ServerName(c, i, want)
		state := want.Admin()
		switch {
		case h.Absent:
			if commands, added := c.Add(want); len(commands) > 0 {
				on = append(on, Operation{backend, i, server, append(commands, enter(server, want, added)...), want.made(added)})
			}
		case !want.Placed():
			off = append(off, Vacate(c, i, want, h))
		case h.Addr == want.Addr && (state != haproxy.Ready || h.Admin == haproxy.Ready):
			off = append(off, Operation{backend, i, server, adjust(server, want, h), want.made(h)})
		default:
			var commands []haproxy.Command
			if h.Addr != want.Addr {
				if h.Admin != haproxy.Maint {
					// No request may reach the new address because the old one was
					// healthy.
					out := haproxy.Server{Addr: h.Addr, Admin: haproxy.Maint, Weight: h.Weight, Agent: h.Agent.Off()}
					off = append(off, Operation{backend, i, server, append(stopAgentCheck(server, h), haproxy.SetState(server, haproxy.Maint)), out})
					h.Agent = h.Agent.Off()
				}
				commands = append(commands, haproxy.SetAddr(server, want.Addr))
			}
			on = append(on, Operation{backend, i, server, append(commands, enter(server, want, h)...), want.made(h)})
		}
	}
	return off, on
}

// Vacate takes a server out of service, marked as not done by an operator. It stops the
// agent check first: an agent that answers `ready` ends maintenance.
func Vacate(c Carrier, i int, s Slot, have haproxy.Server) Operation {
	server := ServerName(c, i, s)
	commands := append(stopAgentCheck(server, have), haproxy.SetState(server, haproxy.Maint), haproxy.SetWeight(server, haproxy.NoWeight))
	return Operation{c.Backend(), i, server, commands, haproxy.Server{Addr: have.Addr, Admin: haproxy.Maint, Weight: haproxy.NoWeight, Agent: have.Agent.Off()}}
}

// Depart returns what [Table.Assign] does to slot i once its instance has left, as an
// operation on a server in service. agent is the state of the server's agent check.
func (t *Table) Depart(c Carrier, i int, agent haproxy.Agent, now time.Time) Operation {
	s := t.Slots[i]
	have := haproxy.Server{Addr: s.Addr, Admin: haproxy.Ready, Weight: s.wantedWeight(), Agent: agent}
	if t.drain == 0 || s.Operator == haproxy.Maint {
		return Vacate(c, i, s, have)
	}
	left, server := Slot{Addr: s.Addr, until: now.Add(t.drain)}, ServerName(c, i, s)
	return Operation{c.Backend(), i, server, adjust(server, left, have), left.made(have)}
}

// stopAgentCheck returns the command that stops a server's agent check, if it runs.
func stopAgentCheck(server string, have haproxy.Server) []haproxy.Command {
	if have.Agent != haproxy.AgentOn {
		return nil
	}
	return []haproxy.Command{{Server: server, Verb: haproxy.DisableAgent}}
}

// Sequence orders the operations of all backends for execution by a worker. A moving
// address leaves its old slot before it enters the new one, so it never serves two
// groups. Apart from that, instances enter before others leave: HAProxy serves between
// two commands, and a group whose instances are all replaced must not be empty in
// between.
func Sequence(off, on []Operation) []Operation {
	entering, reused := make(map[netip.AddrPort]bool), make(map[string]bool)
	for _, op := range on {
		entering[op.After.Addr], reused[op.Server] = true, true
	}
	var first, last []Operation
	for _, op := range off {
		if entering[op.After.Addr] || reused[op.Server] {
			first = append(first, op)
		} else {
			last = append(last, op)
		}
	}
	return slices.Concat(first, on, last)
}

// enter returns the commands that bring a server, whose address is already right, to
// the state that its slot wants. With `health down` it takes traffic only after its
// first successful check; HAProxy ignores that before `ready`. The last answer of the
// previous instance's agent is discarded.
func enter(server string, want Slot, have haproxy.Server) []haproxy.Command {
	commands := setAgentCheck(server, want, have)
	if want.agent(have.Agent) == haproxy.AgentOn {
		commands = append(commands, haproxy.Command{Server: server, Verb: "agent", Value: "up"})
	}
	if have.Weight != want.wantedWeight() {
		commands = append(commands, haproxy.SetWeight(server, want.wantedWeight()))
	}
	commands = append(commands, haproxy.SetState(server, want.Admin()))
	if want.Down && want.Admin() == haproxy.Ready {
		commands = append(commands, haproxy.Command{Server: server, Verb: "health", Value: "down"})
	}
	return commands
}

// setAgentCheck returns the command that starts or stops a server's agent check.
func setAgentCheck(server string, want Slot, have haproxy.Server) []haproxy.Command {
	switch want.agent(have.Agent) {
	case have.Agent:
		return nil
	case haproxy.AgentOn:
		return []haproxy.Command{{Server: server, Verb: haproxy.EnableAgent}}
	}
	return stopAgentCheck(server, have)
}

// adjust returns the commands that apply an operator's override to a server.
func adjust(server string, want Slot, have haproxy.Server) []haproxy.Command {
	commands := setAgentCheck(server, want, have)
	if have.Admin != want.Admin() {
		commands = append(commands, haproxy.SetState(server, want.Admin()))
	}
	if have.Weight != want.wantedWeight() {
		commands = append(commands, haproxy.SetWeight(server, want.wantedWeight()))
	}
	return commands
}

package hactl

import (
	"cmp"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// group is one application: its backend, its slots, and what is registered.
type group struct {
	backend Backend
	table   *Table
	// seen is what was registered last; its name is the backend's.
	seen registry.Group
	// meant is who is to be in service: who is registered and not damped, and who
	// is held.
	meant  []registry.Instance
	guard  guard
	damper damper
	// arriving wait until it is clear that they have left another group.
	arriving arrivals
	// begun is true between a loss that is too much and the review of it, told
	// while the log's last word is that somebody is held.
	begun, told bool
	// touched is true while an operator's wish may stand in a slot.
	touched bool
	// overfull is true while it has more instances than it may have slots.
	overfull bool
	// filled is true once it was read.
	filled bool
	shown  *figures
	// discovered groups come and go.
	discovered bool
	// listed is true while a discovered group's path is there.
	listed bool
	// running is how many of its slots the running generation has.
	running int
	// ran is true of one that the HAProxy before had, accepted once HAProxy runs with
	// it. aside is true while it is left out of the configuration, in case HAProxy does
	// not accept it, banned once it is known that HAProxy does not.
	ran, accepted, aside, banned bool
	// emptied is since when a discovered group has had no instance.
	emptied time.Time
}

func newGroup(b Backend, discovered bool) *group {
	g := &group{
		backend:    b,
		seen:       registry.Group{Name: b.Name},
		discovered: discovered,
		listed:     true,
		emptied:    time.Now(),
		guard:      guard{share: b.LossGuard},
	}
	g.table = NewTable(b.Servers.size(), b.WaitCheck && g.checked())
	g.table.drain = b.DrainTimeout
	return g
}

// see takes in what is registered now.
func (g *group) see(now registry.Group, at time.Time) {
	g.guard.see(g.seen.Instances, g.meant, now.Instances, g.up, now.Since, at)
	if !g.filled {
		g.guard.came = nil // they were there before
	}
	g.seen, g.filled = now, true
}

// checked tells whether HAProxy checks the health of the group's servers.
func (g *group) checked() bool { return slices.Contains(g.backend.Servers.Params, "check") }

// heed is what counts of a server as a worker has it: an agent's weights are
// nobody's wish.
func (g *group) heed(actual, believed Server) Server {
	if slices.Contains(g.backend.Servers.Params, "agent-check") {
		actual.Weight = believed.Weight
	}
	return actual
}

// inService tells whether an instance occupies a slot.
func (g *group) inService(i registry.Instance) bool { return g.table.find(i) != nil }

// up tells whether an instance is in service and was alive when its health was
// last heard.
func (g *group) up(i registry.Instance) bool {
	s := g.table.find(i)
	return s != nil && !s.Down && s.Operator != Maint
}

// name of the slot at index i, with the backend's.
func (g *group) server(i int) string { return g.backend.Name + "/" + g.backend.Servers.name(i) }

// arrange puts groups in the order of the rendered file, which is that of the
// first match: those written out as they are, then the discovered ones, longer
// names first, so that the ACLs of `web` do not take what is for `web-admin`.
func arrange(groups []*group) {
	slices.SortStableFunc(groups, func(a, b *group) int {
		switch {
		case a.discovered != b.discovered:
			if a.discovered {
				return 1
			}
			return -1
		case !a.discovered:
			return 0
		}
		return cmp.Or(len(b.backend.Name)-len(a.backend.Name), cmp.Compare(a.backend.Name, b.backend.Name))
	})
}

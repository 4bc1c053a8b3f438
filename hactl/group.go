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
	// filled is true once it was read.
	filled bool
	shown  *figures
	// discovered groups come and go.
	discovered bool
	// listed is true while a discovered group's path is there.
	listed bool
	// emptied is since when a discovered group has had no instance.
	emptied time.Time
}

func newGroup(b Backend, discovered bool) *group {
	wait := b.WaitCheck && slices.Contains(b.Servers.Params, "check")
	return &group{
		backend:    b,
		table:      NewTable(b.Servers.size(), wait),
		seen:       registry.Group{Name: b.Name},
		discovered: discovered,
		listed:     true,
		emptied:    time.Now(),
	}
}

// see takes in what is registered now.
func (g *group) see(now registry.Group) {
	if len(g.seen.Instances) > 0 && len(now.Instances) == 0 {
		g.emptied = time.Now()
	}
	g.seen, g.filled = now, true
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

package hactl

import (
	"context"
	"maps"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// Layout describes how a [Controller] renders the registered instances; its fields are
// those of [Options].
type Layout struct {
	Template *haproxy.Template
	Frame    haproxy.Frame
	Backends []haproxy.Backend
	Discover func(name string) (haproxy.Backend, error)
	Current  func(ctx context.Context) (Layout, error)
}

// convert makes the layout of a source the running one. On error nothing has changed, and
// it is retried later.
func (c *Controller) convert(ctx context.Context, change *Source, cause Cause) {
	c.resync(ctx) // to learn the latest health and overrides
	for _, g := range c.desired.groups {
		g.markRamps(c.fleet.workers)
	}
	before, workers := c.desired.arrangement, c.fleet.workers
	c.install(ctx, change)
	c.fleet.outgoing = outgoing{before.groups, workers} // they have the old groups
	err := c.replaceGeneration(ctx, cause)
	c.fleet.outgoing = outgoing{}
	if err != nil {
		c.desired.arrangement, c.fleet.workers = before, workers
		c.publish() // unchanged
		return
	}
	if cause == CauseConfiguration {
		c.opts.Metrics.configurations.WithLabelValues(c.opts.Proxy, appliedByReload).Inc()
	}
	if c.desired.change == change { // otherwise a newer one was staged in the meantime
		c.desired.change = nil
	}
	for _, g := range c.desired.lacking(before.groups) {
		c.opts.Metrics.groups.forget(c.opts.Proxy, g.backend.Name)
		c.fleet.changed.gone(g)
	}
	c.publish()
}

// install starts over with the layout and the groups of a source, without workers.
// Instances keep their slots, as far as the new tables have them, and their overrides.
func (c *Controller) install(ctx context.Context, s *Source) {
	old := make(map[string]*group, len(c.desired.groups))
	for _, g := range c.desired.groups {
		old[g.backend.Name] = g
	}
	c.fleet.workers = nil
	c.desired.rearrange(s, old)
	fresh := make(map[*group]*slots.Table)
	for _, g := range c.desired.groups {
		if before := old[g.backend.Name]; before != nil {
			fresh[g] = g.table
			g.follow(before)
		}
		if seen, read := s.groups[g.backend.Name]; read && g.listed {
			g.see(seen, c.opts.clock())
		}
	}
	c.protect(ctx)
	for g, table := range fresh {
		table.Inherit(g.table, g.members.Meant())
		g.table = table
	}
}

// rearrange starts over with the layout and the groups of a source. Discovered groups
// that existed before and may come back are kept.
func (d *desired) rearrange(s *Source, old map[string]*group) {
	var lingering []string
	for _, g := range d.groups {
		if !g.listed && !g.retired && !slices.Contains(s.names, g.backend.Name) {
			lingering = append(lingering, g.backend.Name)
		}
	}
	d.arrange(s.layout)
	d.listed, d.older = true, false
	if d.layout.Discover == nil {
		return
	}
	d.setDiscovered(slices.Concat(s.names, lingering))
	d.setDiscovered(s.names)
	for _, g := range d.groups {
		if before := old[g.backend.Name]; before != nil && g.discovered && before.discovered {
			g.born, g.standing = before.born, before.forNewLayout()
		}
	}
	d.shadow()
}

// lacking returns the groups of before that this arrangement lacks.
func (d *desired) lacking(before []*group) (gone []*group) {
	stays := make(map[string]bool, len(d.groups))
	for _, g := range d.groups {
		stays[g.backend.Name] = true
	}
	for _, old := range before {
		if !stays[old.backend.Name] {
			gone = append(gone, old)
		}
	}
	return gone
}

// follow copies the state of the previous group of the same name.
func (g *group) follow(before *group) {
	g.counting(func() { g.members.Follow(before.members) })
	g.emptied, g.table = before.emptied, before.table
	g.holdLogged, g.touched = before.holdLogged, before.touched
	g.standing, g.running = before.forNewLayout(), before.running
	g.available, g.served, g.heard = before.available, maps.Clone(before.served), before.heard
}

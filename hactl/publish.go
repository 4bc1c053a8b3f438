package hactl

import (
	"slices"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// publish makes what is served visible, if it changed.
func (c *Controller) publish() {
	old := c.snapshot.Load()
	s := &registry.Snapshot{Proxy: c.Proxy, ReloadError: c.reloadError}
	for _, g := range c.laid() {
		shown := g.seen
		shown.Instances = g.meant
		s.Groups = append(s.Groups, shown)
		s.Remarks = g.remark(s.Remarks)
		if !g.filled {
			s.Waiting = append(s.Waiting, g.seen.Name)
		}
	}
	if old == nil || !slices.EqualFunc(old.Groups, s.Groups, sameGroup) || !slices.Equal(old.Remarks, s.Remarks) || !slices.Equal(old.Waiting, s.Waiting) || old.ReloadError != s.ReloadError {
		c.snapshot.Store(s)
	}
}

func sameGroup(a, b registry.Group) bool {
	return a.Name == b.Name && sameList(a.Instances, b.Instances)
}

// sameList tells whether two lists, which are immutable, are one and the same.
func sameList(a, b []registry.Instance) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// figures are the gauges of one group.
type figures struct{ registered, serving, held, damped, draining, skipped, free int }

// measure sets the gauges of the groups whose figures changed.
func (c *Controller) measure() {
	for _, g := range c.laid() {
		name, used := g.backend.Name, g.table.Used()
		now := figures{registered: len(g.seen.Instances), serving: used, held: len(g.guard.holding()), damped: g.damper.waiting, draining: g.table.Leaving(), skipped: g.seen.Skipped, free: len(g.table.Slots) - used}
		if g.shown != nil && *g.shown == now {
			continue
		}
		g.shown = &now
		for state, n := range map[string]int{"registered": now.registered, "serving": now.serving, "held": now.held, "damped": now.damped, "draining": now.draining, "skipped": now.skipped} {
			c.Metrics.instances.WithLabelValues(c.Proxy, name, state).Set(float64(n))
		}
		c.Metrics.slots.WithLabelValues(c.Proxy, name, "used").Set(float64(now.serving))
		c.Metrics.slots.WithLabelValues(c.Proxy, name, "free").Set(float64(now.free))
	}
}

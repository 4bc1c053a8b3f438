package hactl

import "github.com/haproxy-zk/haproxy-zk/registry"

// publish makes what is served visible, if it changed.
func (c *Controller) publish() {
	old := c.snapshot.Load()
	s := &registry.Snapshot{Proxy: c.Proxy}
	changed := old == nil
	for i, g := range c.groups {
		s.Groups = append(s.Groups, g)
		if !c.filled[i] {
			s.Waiting = append(s.Waiting, g.Name)
		}
		if old != nil && !sameInstances(old.Groups[i], g) {
			changed = true
		}
	}
	if changed || len(old.Waiting) != len(s.Waiting) {
		c.snapshot.Store(s)
	}
}

func sameInstances(a, b registry.Group) bool {
	// The lists are immutable: the same first element is the same list.
	return len(a.Instances) == len(b.Instances) && (len(a.Instances) == 0 || &a.Instances[0] == &b.Instances[0])
}

// figures are the gauges of one group.
type figures struct{ registered, serving, skipped, free int }

// measure sets the gauges of the groups whose figures changed.
func (c *Controller) measure() {
	for i, g := range c.groups {
		used := c.tables[i].Used()
		now := figures{registered: len(g.Instances), serving: used, skipped: g.Skipped, free: len(c.tables[i].Slots) - used}
		if c.shown[i] != nil && *c.shown[i] == now {
			continue
		}
		c.shown[i] = &now
		for state, n := range map[string]int{"registered": now.registered, "serving": now.serving, "held": 0, "skipped": now.skipped} {
			c.Metrics.instances.WithLabelValues(c.Proxy, g.Name, state).Set(float64(n))
		}
		c.Metrics.slots.WithLabelValues(c.Proxy, g.Name, "used").Set(float64(now.serving))
		c.Metrics.slots.WithLabelValues(c.Proxy, g.Name, "free").Set(float64(now.free))
	}
}

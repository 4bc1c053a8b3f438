package hactl

import (
	"net/netip"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// assign assigns slots to the meant instances. It returns how many wait for a reload
// that adds slots, and whether the snapshot changes: an operator's override was restored,
// or a group began or ceased to be full.
func (d *desired) assign() (unplaced int, changed bool) {
	d.spare = d.freeSlots()
	waiting, now := 0, d.opts.clock()
	for _, g := range d.rendered() {
		unplaced += d.place(g, d.spare, now)
		d.logBeyond(g)
		changed = changed || g.beyond != (g.table.Beyond > 0)
		g.beyond = g.table.Beyond > 0
		if !g.full() {
			waiting += g.table.Beyond
		}
	}
	d.logFull(waiting)
	d.settle()
	return unplaced, d.remember() || changed
}

// place assigns slots to the meant instances of one group, of which there may be so many
// more. It returns how many wait for a reload that adds slots.
func (d *desired) place(g *group, more int, now time.Time) (unplaced int) {
	g.agree()
	g.table.Limit(more)
	unplaced = g.table.Assign(g.members.Meant(), now)
	if g.live() || g.dynamic() && g.state == accepted {
		g.running = len(g.table.Slots) // no reload is needed
	}
	return unplaced
}

// grow assigns slots to all meant instances, growing the tables as far as allowed. Only
// a reload may call it. It reports whether an operator's override was restored.
func (d *desired) grow() (restored bool) {
	freeSlots, now := d.freeSlots(), d.opts.clock()
	for _, g := range d.rendered() {
		g.agree()
		before := len(g.table.Slots)
		g.table.Limit(freeSlots)
		// Slots that still have sessions cannot be reused, so one pass may not be
		// enough.
		for unplaced := g.table.Assign(g.members.Meant(), now); unplaced > 0; unplaced = g.table.Assign(g.members.Meant(), now) {
			g.table.Grow(unplaced)
		}
		freeSlots -= len(g.table.Slots) - before
	}
	d.spare = freeSlots
	d.settle()
	return d.remember()
}

// logBeyond logs when a group starts and stops having more instances than it may have
// slots.
func (d *desired) logBeyond(g *group) {
	n := g.table.Beyond
	if !g.full() {
		n = 0
	}
	switch {
	case n > 0 && !g.overfull:
		d.opts.Logger.Error("group has more instances than servers; instances in service stay, the rest waits until one leaves", "group", g.backend.Name, "servers", len(g.table.Slots), "waiting", n)
	case n == 0 && g.overfull:
		d.opts.Logger.Info("all instances of the group have servers again", "group", g.backend.Name)
	}
	g.overfull = n > 0
}

// maxAllSlots bounds the slots of all discovered groups of a proxy, since anyone with
// write access to ZooKeeper may create groups. Configured groups always have the slots
// that they were configured with.
const maxAllSlots = 100_000

// full reports whether the group has reached the maximum number of slots.
func (g *group) full() bool { return len(g.table.Slots) >= haproxy.MaxSlots }

// logFull logs when instances start and stop waiting because the groups of the proxy
// together have reached the maximum number of slots.
func (d *desired) logFull(waiting int) {
	switch {
	case waiting > 0 && !d.full:
		d.opts.Logger.Error("all groups together reached the limit of servers; instances in service stay, the rest waits until servers are free; spread the groups over several proxies, or lower max_server", "servers", d.mostSlots, "waiting", waiting)
	case waiting == 0 && d.full:
		d.opts.Logger.Info("all instances have servers again")
	}
	d.full = waiting > 0
}

// freeSlots returns how many more slots the groups may have together.
func (d *desired) freeSlots() int {
	freeSlots := d.mostSlots
	for _, g := range d.rendered() {
		freeSlots -= len(g.table.Slots)
	}
	return max(0, freeSlots)
}

// settle takes instances out of service whose drain time is over.
func (d *desired) settle() {
	d.drainAt = time.Time{}
	now := d.opts.clock()
	for _, g := range d.groups {
		g.table.Settle(now, func(addr netip.AddrPort) bool { return d.servesElsewhere(g, addr) })
		d.drainAt = earliest(d.drainAt, g.table.Ends())
	}
}

// servesElsewhere reports whether an address is in service in another group.
func (d *desired) servesElsewhere(g *group, addr netip.AddrPort) bool {
	if in := d.places[addr].Serving; in == 0 || in == 1 && g.inService(registry.Instance{Addr: addr}) {
		return false
	}
	return slices.ContainsFunc(d.groups, func(other *group) bool {
		return other != g && !other.leftOut() && other.inService(registry.Instance{Addr: addr})
	})
}

package hactl

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// assign gives slots to what is registered; what finds none waits for a reload.
func (c *Controller) assign(ctx context.Context) {
	unplaced := c.assignAll()
	if unplaced > 0 && !c.releaseAt.IsZero() {
		c.release(ctx)
		unplaced = c.assignAll()
	}
	switch {
	case unplaced > 0 && c.reloadCause == "":
		c.Logger.Info("more instances than slots, adding some by a reload", "unplaced", unplaced)
		c.rearrange("slots")
	case unplaced == 0 && c.reloadCause == "slots" && !c.grown():
		// While the reload waited, instances left or slots came to rest.
		c.reloadCause = ""
		c.setProblem(c.startProblem)
		c.reloadError = ""
		c.publish()
	}
	if c.releaseAt.IsZero() && c.draining() {
		c.releaseAt = time.Now().Add(releaseFirst)
	}
}

func (c *Controller) assignAll() (unplaced int) {
	for _, g := range c.laid() {
		unplaced += g.table.Assign(g.meant)
		c.tellBeyond(g)
	}
	c.settle()
	c.remember()
	return unplaced
}

// tellBeyond tells when a group begins and ends to have more instances than it may
// have slots.
func (c *Controller) tellBeyond(g *group) {
	switch n := g.table.Beyond; {
	case n > 0 && !g.overfull:
		c.Logger.Error("a group has more instances than servers, those that serve stay and others wait until one leaves", "group", g.backend.Name, "servers", len(g.table.Slots), "waiting", n)
	case n == 0 && g.overfull:
		c.Logger.Info("all instances of the group have servers again", "group", g.backend.Name)
	}
	g.overfull = g.table.Beyond > 0
}

// settle takes out of service whose sessions have had their time.
func (c *Controller) settle() {
	c.drainAt = time.Time{}
	for _, g := range c.groups {
		g.table.Settle(time.Now(), func(addr netip.AddrPort) bool { return c.servesElsewhere(g, addr) })
		if ends := g.table.ends; c.drainAt.IsZero() || !ends.IsZero() && ends.Before(c.drainAt) {
			c.drainAt = ends
		}
	}
}

// grown tells whether a table has slots that a worker does not have yet.
func (c *Controller) grown() bool {
	return slices.ContainsFunc(c.workers, func(w *worker) bool {
		return slices.ContainsFunc(c.laid(), func(g *group) bool { return len(w.have[g]) < len(g.table.Slots) })
	})
}

// runs tells whether every worker has a group.
func (c *Controller) runs(g *group) bool {
	return !slices.ContainsFunc(c.workers, func(w *worker) bool { return w.have[g] == nil })
}

func (c *Controller) draining() bool {
	return slices.ContainsFunc(c.groups, func(g *group) bool { return c.runs(g) && len(g.table.Draining()) > 0 })
}

package hactl

import (
	"slices"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// takes tells whether an instance takes requests, or will as soon as the workers are
// told: it has a server, which HAProxy has not found dead and no operator took out.
func (c *Controller) takes(g *group, i registry.Instance) bool {
	at, known := g.table.at[i.Addr]
	switch {
	case !known:
		return c.enters(g, i) && g.atRest() > 0
	case at >= g.running:
		return false // it waits for a reload
	case g.table.Slots[at].Used:
		return !g.table.Slots[at].Down && g.table.Slots[at].serves()
	}
	return c.enters(g, i)
}

// enters tells whether one that has no server is to take requests as soon as it has.
func (c *Controller) enters(g *group, i registry.Instance) bool {
	return !g.table.wait && !g.damper.damps(i) && !c.registeredElsewhere(g, i)
}

// untried tells of an instance that has had no request yet, as far as is known: it
// waits for a server or for its first health check.
func (g *group) untried(i registry.Instance) bool {
	at, known := g.table.at[i.Addr]
	return !known || at >= g.running || !g.table.Slots[at].Used || g.table.Slots[at].unchecked
}

// serving counts those that are registered and take requests, in the sense of takes.
func (c *Controller) serving(g *group) (n int) {
	damped, entering := 0, 0
	for _, i := range g.seen.Instances {
		_, known := g.table.at[i.Addr]
		switch {
		case g.damper.damps(i):
			damped++
		case !known && c.enters(g, i):
			entering++
		case known && c.takes(g, i):
			n++
		}
	}
	if dampsTooMany(damped, len(g.seen.Instances)) {
		n += damped
	}
	if entering > 0 {
		n += min(entering, g.atRest())
	}
	return n
}

// isHeir tells whether one that was new takes the place of those that are held.
func (c *Controller) isHeir(g *group, i registry.Instance) bool {
	return slices.Contains(g.seen.Instances, i) && c.takes(g, i)
}

// atRest counts the slots that HAProxy has and that may be given to others.
func (g *group) atRest() (n int) {
	for _, s := range g.table.Slots[:min(g.running, len(g.table.Slots))] {
		if !s.Used && !s.draining {
			n++
		}
	}
	return n
}

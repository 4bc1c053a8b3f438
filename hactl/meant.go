package hactl

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// protect decides who is meant to be in service, and tells whether that changed.
// Where somebody is held it asks the workers whether they are alive.
func (c *Controller) protect(ctx context.Context) (changed bool) {
	now := time.Now()
	lost, all := countLost(c.groups, now)
	due := !c.holdAt.IsZero() && !c.holdAt.After(now)
	var ask []*group
	for _, g := range c.groups {
		g.guard.forget(now)
		if due && len(g.guard.holding()) > 0 || c.guards(g) && c.mayBeLost(g, many(lost, all), now) {
			ask = append(ask, g)
		}
	}
	c.look(ctx, ask)
	for _, g := range c.groups {
		if g.guard.settled(now) {
			continue
		}
		registered, serving := len(g.seen.Instances), c.serving(g)
		switch {
		case !c.guards(g):
		case g.guard.excessive(registered, serving, many(lost, all), now):
			g.guard.hold(g.inService, many(lost, all), now)
			g.guard.inherit(g.seen.Instances, g.untried)
			g.begun = true
		case registered == 0 && all > 1 && g.guard.losing(now):
			g.guard.wait(g.inService, now)
		}
		g.guard.judge(serving)
	}
	c.review(now)
	c.enterAt = time.Time{}
	for _, g := range c.groups {
		moved, damped := g.decide(func(i registry.Instance) bool { return c.registeredElsewhere(g, i) }, now)
		changed = moved || changed || len(damped) > 0
		for _, i := range damped {
			c.Logger.Warn("an instance comes and goes, its return is delayed", "group", g.backend.Name, "instance", i.String(), "until", g.damper.flaps[i].until)
		}
		for _, next := range []time.Time{g.damper.next(), g.arriving.next()} {
			if c.enterAt.IsZero() || !next.IsZero() && next.Before(c.enterAt) {
				c.enterAt = next
			}
		}
	}
	return changed
}

// guards tells whether a group is guarded against the loss of its instances.
func (c *Controller) guards(g *group) bool { return !c.reloaded.IsZero() && !g.aside && g.checked() }

// mayBeLost tells whether what left may be too much. Where no more are left than went
// that depends on whether they take requests, which the workers are to be asked: an
// operator may have taken them out of one.
func (c *Controller) mayBeLost(g *group, many bool, now time.Time) bool {
	if g.guard.settled(now) {
		return false
	}
	registered, serving := len(g.seen.Instances), c.serving(g)
	if !g.guard.judged && registered <= g.guard.lost() {
		serving = 0
	}
	return g.guard.excessive(registered, serving, many, now)
}

// registeredElsewhere tells whether an instance was last seen in another group too.
// Before HAProxy serves it does not matter.
func (c *Controller) registeredElsewhere(g *group, i registry.Instance) bool {
	return !c.reloaded.IsZero() && slices.ContainsFunc(c.groups, func(other *group) bool {
		return other != g && slices.Contains(other.seen.Instances, i)
	})
}

// review lets go of the instances that are not to be held any longer.
func (c *Controller) review(now time.Time) {
	ask := now.Add(holdEvery)
	if c.holdAt.After(now) && c.holdAt.Before(ask) {
		ask = c.holdAt // whatever else happens
	}
	c.holdAt = time.Time{}
	var registered map[registry.Instance]*group
	for _, g := range c.groups {
		if g.guard.since.IsZero() {
			continue
		}
		if registered == nil {
			registered = c.registered()
		}
		over := g.guard.review(func(i registry.Instance) bool { return c.isHeir(g, i) }, g.up, func(i registry.Instance) bool { return registered[i] != nil && registered[i] != g }, now)
		log := c.Logger.With("group", g.backend.Name)
		switch {
		case g.begun && over == "" && !g.told:
			g.told = true
			log.Warn("too many instances have left at once, holding those that are alive", "held", len(g.guard.held), "registered", len(g.seen.Instances))
		case over != "" && g.told:
			g.told = false
			log.Warn("instances that left are held no longer", "reason", over)
		}
		g.begun = false
		var next time.Time
		switch since := g.guard.since; {
		case since.IsZero():
			continue
		case g.guard.waiting:
			next = since.Add(emptyWait)
		case since.Add(holdFor).Before(ask):
			next = since.Add(holdFor)
		default:
			next = ask
		}
		if c.holdAt.IsZero() || next.Before(c.holdAt) {
			c.holdAt = next
		}
	}
}

// registered tells in which group each instance is.
func (c *Controller) registered() map[registry.Instance]*group {
	in := make(map[registry.Instance]*group)
	for _, g := range c.groups {
		for _, i := range g.seen.Instances {
			in[i] = g
		}
	}
	return in
}

// decide makes meant what it is to be, and tells whether that changed it, and who
// begins to be damped.
func (g *group) decide(elsewhere func(registry.Instance) bool, now time.Time) (changed bool, damped []registry.Instance) {
	meant := g.seen.Instances
	g.table.doubted = nil
	if len(g.guard.held) > 0 {
		meant = slices.Clone(meant)
		for _, h := range g.guard.held {
			meant = append(meant, h.instance)
			if h.doubted {
				if g.table.doubted == nil {
					g.table.doubted = make(map[registry.Instance]bool)
				}
				g.table.doubted[h.instance] = true
			}
		}
		meant = registry.Sort(meant)
	}
	if slices.Equal(g.meant, meant) && g.damper.waiting == 0 {
		g.arriving = nil
		return false, nil
	}
	meant, damped = g.damper.filter(g.meant, meant, now)
	if meant = g.arriving.filter(g.meant, meant, elsewhere, now); slices.Equal(g.meant, meant) {
		return false, damped
	}
	if len(meant) == 0 {
		g.emptied = now
	}
	g.meant = meant
	return true, damped
}

// remark adds what is to be said of the group's instances.
func (g *group) remark(remarks []registry.Remark) []registry.Remark {
	first := len(remarks)
	for _, h := range g.guard.holding() {
		remarks = append(remarks, registry.Remark{Group: g.backend.Name, Instance: h.instance, Kind: registry.Held})
	}
	if g.damper.waiting > 0 {
		for _, i := range g.seen.Instances {
			if g.damper.damps(i) {
				remarks = append(remarks, registry.Remark{Group: g.backend.Name, Instance: i, Kind: registry.Damped})
			}
		}
	}
	if g.touched {
		meant := setOf(g.meant)
		for _, s := range g.table.Slots {
			if text := s.operator(); text != "" && meant[s.Addr] {
				remarks = append(remarks, registry.Remark{Group: g.backend.Name, Instance: registry.Instance{Addr: s.Addr}, Kind: registry.Operator, Text: text})
			}
		}
	}
	slices.SortFunc(remarks[first:], func(a, b registry.Remark) int {
		return cmp.Or(a.Instance.Addr.Compare(b.Instance.Addr), cmp.Compare(a.Kind, b.Kind))
	})
	return remarks
}

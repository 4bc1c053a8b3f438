package hactl

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/membership"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// holdEvery is how often the health of held instances is read.
const holdEvery = time.Second

// protect decides which instances are meant to be in service, and reports whether that
// changed. If a group may be lost it first asks the workers for its health.
func (c *Controller) protect(ctx context.Context) (changed bool) {
	p := c.desired.protection(c.reloads.serving())
	c.look(ctx, p.needHealth())
	return p.decide()
}

// protection is one pass over all groups that decides which instances are meant to
// serve.
type protection struct {
	*desired
	of   []*group // that are decided on
	now  time.Time
	lost bool // many groups lose all instances at once
	f    facts
}

func (d *desired) protection(serving bool) *protection {
	now := d.opts.clock()
	return &protection{desired: d, of: d.groups, now: now, lost: membership.ManyLost(members(d.groups), now), f: facts{serving: serving}}
}

// needHealth returns the groups whose health has to be read before the decision.
func (p *protection) needHealth() (ask []*group) {
	due := !p.holdAt.IsZero() && !p.holdAt.After(p.now)
	for _, p.f.group = range p.of {
		if p.f.members.NeedsHealth(&p.f, due, p.lost, p.now) {
			ask = append(ask, p.f.group)
		}
	}
	return ask
}

// decide reports whether the meant instances changed.
func (p *protection) decide() (changed bool) {
	ask := p.now.Add(holdEvery)
	if p.holdAt.After(p.now) && p.holdAt.Before(ask) {
		ask = p.holdAt // even if decisions are made in between
	}
	p.holdAt, p.enterAt, p.restless = time.Time{}, time.Time{}, nil
	for _, g := range p.of {
		p.f.group = g
		decision := g.members.Decide(&p.f, p.lost, p.now)
		g.table.Unverified = g.members.Unverified()
		if decision.Changed && len(g.members.Meant()) == 0 {
			g.emptied = p.now
		}
		changed = changed || decision.Changed || len(decision.Damped) > 0
		p.logDecision(g, decision)
		if !g.members.Quiet() {
			p.restless = append(p.restless, g)
		}
		p.holdAt, p.enterAt = earliest(p.holdAt, g.members.NextReview(ask)), earliest(p.enterAt, g.members.NextEntry())
	}
	return changed
}

// members iterates over the members of the groups that are rendered.
func members(groups []*group) iter.Seq[*membership.Group] {
	return func(yield func(*membership.Group) bool) {
		for _, g := range groups {
			if !g.leftOut() && !yield(g.members) {
				return
			}
		}
	}
}

// logDecision logs and reports which instances start and stop being held, and whose return is
// delayed.
func (d *desired) logDecision(g *group, made membership.Decision) {
	switch {
	case made.Began && !g.holdLogged:
		g.holdLogged = true
		e := g.event(registry.EventHeld, registry.Instance{}, "too many deregistered at once")
		e.Detail = fmt.Sprintf("%d held, %d registered", g.members.HeldCount(), len(g.registered()))
		d.opts.Report(e)
		d.opts.Logger.Warn("too many instances deregistered at once, holding those that are healthy", "group", g.backend.Name, "held", g.members.HeldCount(), "registered", len(g.members.Registered().Instances))
	case made.Over != "" && g.holdLogged:
		g.holdLogged = false
		d.opts.Report(g.event(registry.EventReleased, registry.Instance{}, made.Over))
		d.opts.Logger.Warn("deregistered instances are no longer held", "group", g.backend.Name, "reason", made.Over)
	}
	for _, delay := range made.Damped {
		e := g.event(registry.EventDamped, delay.Instance, "flapping")
		e.Detail = "until " + delay.Until.UTC().Format(time.RFC3339)
		d.opts.Report(e)
		d.opts.Logger.Warn("instance is flapping, delaying its return", "group", g.backend.Name, "instance", delay.Instance.String(), "until", delay.Until)
	}
}

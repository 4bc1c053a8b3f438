package membership

import (
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Decision is the result of [Group.Decide].
type Decision struct {
	// Changed is true if [Group.Meant] changed.
	Changed bool
	// Began is true if too many instances have left at once, so that the healthy ones
	// are held from now on.
	Began bool
	// Over is why no instance is held any more; empty if some still are, or none was.
	Over string
	// Damped are the instances whose return is delayed from now on.
	Damped []Delay
}

// Delay is an instance and the time at which it may return.
type Delay struct {
	Instance registry.Instance
	Until    time.Time
}

// NeedsHealth reports whether the health of the group has to be read from the workers
// before [Group.Decide]: either the group may have lost too much, or held instances are
// due for a review. lost is as for Decide.
func (g *Group) NeedsHealth(f Facts, due, lost bool, now time.Time) bool {
	g.guard.forget(now)
	return due && len(g.guard.holding()) > 0 || f.Guarded() && g.mayBeLost(f, lost, now)
}

// mayBeLost reports whether too many instances may have left. If no more remain than
// left, that depends on whether the remaining ones take requests, which has to be read
// from the workers: an operator may have taken them out of one.
func (g *Group) mayBeLost(f Facts, lost bool, now time.Time) bool {
	if g.guard.settled(now) {
		return false
	}
	registered, servingGroup := g.losses.remaining(g.registered, now), g.countServing(f, now)
	if !g.guard.judged && registered <= g.guard.lost() {
		servingGroup = 0
	}
	return g.guard.excessive(registered, servingGroup, lost, now)
}

// Decide decides which instances are meant to serve. lost is true if many groups lose
// all of their instances at once (see [ManyLost]).
func (g *Group) Decide(f Facts, lost bool, now time.Time) (d Decision) {
	began := g.judge(f, lost, now)
	if !g.guard.since.IsZero() {
		replaces := func(i registry.Instance) bool { return g.Registers(i) && g.takesTraffic(f, i, now) }
		d.Over = g.guard.review(replaces, f.Up, f.Elsewhere, now)
	}
	d.Began = began && d.Over == ""
	d.Changed, d.Damped = g.choose(f, now)
	return d
}

// judge decides whether the departed instances are to be held, and reports whether some
// are from now on.
func (g *Group) judge(f Facts, lost bool, now time.Time) (began bool) {
	g.guard.forget(now)
	if g.guard.settled(now) {
		return false
	}
	registered, servingGroup := g.losses.remaining(g.registered, now), g.countServing(f, now)
	switch {
	case !f.Guarded():
	case g.guard.excessive(registered, servingGroup, lost, now):
		g.guard.hold(f.InService, lost, now)
		g.guard.noteReplacements(g.registered.Instances, f.Untested)
		began = true
	case len(g.registered.Instances) == 0 && g.guard.losing(now):
		g.guard.wait(f.InService, now)
	}
	g.guard.judge(servingGroup)
	return began
}

// decisionInputs records the state from which choose has computed meant.
type decisionInputs struct {
	made  bool
	list  []registry.Instance
	guard int
}

// decidedAlready reports whether choose would compute the same as last time.
func (g *Group) decidedAlready() bool {
	return g.decided.made && registry.SameList(g.decided.list, g.registered.Instances) && g.decided.guard == g.guard.version && g.damper.waiting == 0 && len(g.arriving) == 0
}

// choose computes meant. It reports whether meant changed, and which instances are
// damped from now on.
func (g *Group) choose(f Facts, now time.Time) (changed bool, damped []Delay) {
	if g.decidedAlready() {
		return false, nil
	}
	g.decided = decisionInputs{made: true, list: g.registered.Instances, guard: g.guard.version}
	meant := g.registered.Instances
	g.unverified = nil
	if len(g.guard.held) > 0 {
		meant = slices.Clone(meant)
		for _, h := range g.guard.held {
			meant = append(meant, h.instance)
			if h.unverified {
				if g.unverified == nil {
					g.unverified = make(map[registry.Instance]bool)
				}
				g.unverified[h.instance] = true
			}
		}
		meant = registry.Sort(meant)
	}
	if slices.Equal(g.meant, meant) && g.damper.waiting == 0 {
		g.arriving = nil
		return false, nil
	}
	meant, delayed := g.damper.filter(g.meant, meant, now)
	for _, i := range delayed {
		damped = append(damped, Delay{i, g.damper.flaps[i].until})
	}
	if meant = g.arriving.filter(g.meant, meant, f.Elsewhere, now); slices.Equal(g.meant, meant) {
		return false, damped
	}
	g.meant = meant
	return true, damped
}

// NextReview returns when [Group.Decide] is due for the held instances, even if nothing
// changes; zero if none is held. ask is when the health of held instances is read next.
func (g *Group) NextReview(ask time.Time) time.Time {
	next := g.guard.next()
	if next.IsZero() || g.guard.waiting || next.Before(ask) {
		return next
	}
	return ask
}

// NextEntry returns when Decide is due for instances that wait to enter, because they
// are damped or still registered elsewhere; zero if none waits.
func (g *Group) NextEntry() time.Time {
	damped, moved := g.damper.next(), g.arriving.next()
	if damped.IsZero() || !moved.IsZero() && moved.Before(damped) {
		return moved
	}
	return damped
}

package membership

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Group has the instances of one group: which are registered, and which of these and of
// earlier ones are meant to serve. Its methods belong to one goroutine, and the lists
// that it takes and returns are immutable.
type Group struct {
	registered registry.Group
	wasRead    bool
	terms      int // changes with those of registered
	meant      []registry.Instance
	// unverified are the meant instances that must pass a health check first.
	unverified map[registry.Instance]bool
	// decided is what meant was computed from.
	decided decisionInputs
	guard   guard
	losses  losses
	damper  damper
	// arriving are instances that may still be registered in another group.
	arriving arrivals
}

// New returns a group that has not been read yet. share is the percentage of its
// instances that are too many to lose at once; 0 means all.
func New(name string, share int) *Group {
	return &Group{registered: registry.Group{Name: name}, guard: guard{share: share}}
}

// SetShare changes the share that [New] was called with.
func (g *Group) SetShare(share int) { g.guard.share = share }

// Registered returns the last list; it is empty before the group has been read.
func (g *Group) Registered() registry.Group { return g.registered }

// TermsVersion changes whenever the terms of [Group.Registered] have changed; 0 means
// that there were never any.
func (g *Group) TermsVersion() int { return g.terms }

// Registers reports whether an instance is registered in the group.
func (g *Group) Registers(i registry.Instance) bool {
	return has(g.registered.Instances, i)
}

// Read reports whether the group has been read once.
func (g *Group) Read() bool { return g.wasRead }

// Meant returns the instances meant to be in service, sorted and unique.
func (g *Group) Meant() []registry.Instance { return g.meant }

// Unverified returns the instances in [Group.Meant] that were out of service when they
// left: they get no requests before a successful health check.
func (g *Group) Unverified() map[registry.Instance]bool { return g.unverified }

// Held returns the instances that are in service although they left.
func (g *Group) Held() []registry.Instance {
	held := g.guard.holding()
	out := make([]registry.Instance, len(held))
	for i, h := range held {
		out[i] = h.instance
	}
	return out
}

// HeldCount returns the length of [Group.Held].
func (g *Group) HeldCount() int { return len(g.guard.holding()) }

// Damped counts the registered instances whose return is delayed.
func (g *Group) Damped() int { return g.damper.waiting }

// Damps reports whether the return of an instance is delayed.
func (g *Group) Damps(i registry.Instance) bool { return g.damper.damps(i) }

// Version changes whenever [Group.Held] may have changed.
func (g *Group) Version() int { return g.guard.version }

// See sets the registered instances. up reports which of the instances meant to serve
// until now are up.
func (g *Group) See(now registry.Group, up func(registry.Instance) bool, at time.Time) {
	g.losses.see(g.registered.Parts, now.Parts, at)
	g.guard.see(g.registered.Instances, g.meant, now.Instances, up, now.Since, at)
	if !g.wasRead {
		g.guard.came = nil // they were there before
	}
	g.replace(now)
	g.wasRead = true
}

// Restore sets the registered instances from a cached list, without counting arrivals
// or departures. The group counts as read from then on.
func (g *Group) Restore(list registry.Group) {
	g.replace(list)
	g.wasRead = true
}

// replace sets the last list. An equal list is not replaced, so that readers see by
// its identity that nothing changed.
func (g *Group) replace(now registry.Group) {
	if !maps.Equal(g.registered.Terms, now.Terms) {
		g.terms++
	}
	if slices.Equal(g.registered.Instances, now.Instances) {
		now.Instances = g.registered.Instances
	}
	g.registered = now
}

// Follow copies the state of another group of the same name; nothing mutable is shared.
func (g *Group) Follow(before *Group) {
	share := g.guard.share
	g.replace(before.registered)
	g.wasRead, g.meant, g.unverified = before.wasRead, before.meant, before.unverified
	g.guard, g.losses, g.damper = before.guard.clone(), before.losses.clone(), before.damper.clone()
	g.guard.share = share
}

// Release releases the held instances.
func (g *Group) Release() { g.guard.releaseAll("") }

// Excessive reports whether the guard might hold instances if this many more left, in
// addition to those that did, and this many remained.
func (g *Group) Excessive(leaving, remaining int) bool {
	return g.guard.exceeds(g.guard.lost()+leaving, remaining)
}

// Quiet reports whether [Group.Decide] changes nothing until another list is seen: nothing
// has left or come recently, and nothing is held or waits.
func (g *Group) Quiet() bool {
	return g.guard.quiet() && g.decidedAlready()
}

// ManyLost reports whether too many groups lose all of their instances at once to be a
// coincidence. A single group is judged by its size.
func ManyLost(groups iter.Seq[*Group], at time.Time) bool {
	lost, all := Lost(groups, at)
	return lost > 1 && 2*lost > all
}

// Lost counts the groups that lose all of their instances at once, among all that have or
// had some. Quiet ones are not lost.
func Lost(groups iter.Seq[*Group], at time.Time) (lost, all int) {
	for g := range groups {
		switch {
		case g.losses.remaining(g.registered, at) > 0:
			all++
		case g.guard.losing(at), len(g.guard.held) > 0 && at.Sub(g.guard.since) <= lossWindow:
			all++
			lost++
		case len(g.guard.held) > 0:
			all++
		}
	}
	return lost, all
}

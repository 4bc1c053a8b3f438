package hactl

import (
	"context"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/hactl/membership"
)

// fewGroups is how many groups are few, however many there are; otherwise half of all are.
const fewGroups = 16

// applyLists applies the lists that have arrived as [Controller.stepAll] does, but looks
// only at their groups and at those whose instances have changed recently: the way to
// HAProxy does not become longer with the number of groups. done is false if there is more
// to do for stepAll; absorbed is true once what has arrived was decided on, which must not
// happen twice before slots are assigned.
func (c *Controller) applyLists(ctx context.Context) (done, absorbed bool) {
	if !c.calm() {
		return false, false
	}
	lists := c.in.take()
	if lists.empty() {
		return false, false
	}
	groups, alone := c.desired.concerned(lists)
	if !alone {
		c.open(ctx, lists, false)
		return false, true
	}
	if d := c.desired; d.seen.IsZero() {
		d.seen = lists.since
	}
	before := versions(groups)
	c.desired.readLists(lists, groups)
	if lost, _ := membership.Lost(members(groups), c.opts.clock()); lost > 1 {
		c.open(ctx, mail{}, true)
		return false, true
	}
	c.decideOn(ctx, groups)
	if !c.desired.placeAll(groups) {
		c.publish()
		return false, true
	}
	c.fleet.awaitRest(groups)
	c.publishGroups(groups)
	c.apply(ctx, groups)
	if versions(groups) != before {
		c.files.plan(c.opts.clock())
	}
	c.report(groups)
	return true, true
}

// versions returns a number that grows with each change of the groups' tables.
func versions(groups []*group) (sum uint64) {
	for _, g := range groups {
		sum += g.table.Version()
	}
	return sum
}

// calm reports whether nothing is due, no worker has failed, and nothing is known to be
// incomplete.
func (c *Controller) calm() bool {
	d, f := c.desired, c.fleet
	if !c.reloads.serving() || c.reloads.cause != "" || !c.reloads.layout.IsZero() || c.in.requests.waiting() {
		return false
	}
	if d.change != nil || d.takenOver != nil || d.startProblem != "" || !d.drainAt.IsZero() || !f.upToDate() {
		return false
	}
	at := c.next()
	return at.IsZero() || at.After(c.opts.clock())
}

// concerned returns the groups whose lists have arrived, and those that are restless; alone
// is false if others may be concerned.
func (d *desired) concerned(mail mail) (groups []*group, alone bool) {
	if mail.listed || len(mail.groups)+len(d.restless) > max(fewGroups, len(d.groups)/2) {
		return nil, false
	}
	groups = slices.Clone(d.restless)
	for name := range mail.groups {
		if g := d.lookup(name); g != nil && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	for _, g := range groups {
		// A live group that was added at run time is accepted only by the next reload.
		if g.leftOut() || !g.listed || !g.members.Read() || g.state != accepted && !g.live() || g.beyond || d.lookup(g.backend.Name) != g {
			return nil, false
		}
	}
	return groups, true
}

// decideOn decides which instances of groups are meant to serve; no more than one of them
// is lost.
func (c *Controller) decideOn(ctx context.Context, groups []*group) {
	p := &protection{desired: c.desired, of: groups, now: c.opts.clock(), f: facts{serving: true}}
	c.look(ctx, p.needHealth())
	p.decide()
}

// placeAll assigns slots to the meant instances of groups. It returns false if some need
// a look at all groups.
func (d *desired) placeAll(groups []*group) bool {
	now := d.opts.clock()
	for _, g := range groups {
		before := len(g.table.Slots)
		unplaced := d.place(g, d.spare, now)
		d.spare -= len(g.table.Slots) - before
		d.drainAt = earliest(d.drainAt, g.table.Ends())
		if unplaced > 0 || g.table.Beyond > 0 {
			return false
		}
	}
	return true
}

package hactl

import (
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// outage is why the requests of a group fail; empty if they do not.
type outage string

const (
	nobodyRegistered outage = "no instance registered"
	nobodyUp         outage = "no instance up"
)

// firstUpWithin is how long instances that have never been up may wait for their first
// health check, or for the reload that brings their servers, before that is an outage.
const firstUpWithin = 5 * time.Second

// availability is how a group serves.
type availability struct {
	// up counts the instances that every worker that answered last sends requests to:
	// ready, up and with a weight.
	up int
	// down is since when instances are registered and none is up; otherwise it is zero.
	// fell is true if one had been up before.
	down time.Time
	fell bool
	// occupied is true once an instance has had a server.
	occupied bool
	// logged is the last logged outage, and since when.
	logged outage
	since  time.Time
}

// noteUp counts the instances that are up in every worker without an error in errs. It
// reports whether a group lost its last instance that was up, or has one again.
func (f *fleet) noteUp(groups []*group, errs []error) (changed bool) {
	var answered []*worker
	for i, w := range f.workers {
		if errs[i] == nil {
			answered = append(answered, w)
		}
	}
	if len(answered) == 0 {
		return false // the last known state stands
	}
	for _, g := range groups {
		a := &g.available
		before, wasDown := a.up, !a.down.IsZero()
		a.up = g.countUp(answered)
		switch {
		case a.up > 0 || len(g.registered()) == 0:
			a.down, a.fell = time.Time{}, false
		case !wasDown:
			a.down, a.fell = f.opts.clock(), before > 0
		}
		changed = changed || wasDown == a.down.IsZero()
	}
	return changed
}

// countUp counts the instances that are up in all of the workers.
func (g *group) countUp(workers []*worker) (n int) {
	for i := range g.table.Slots {
		slot := &g.table.Slots[i]
		if !slot.Used {
			continue
		}
		up := true
		for _, w := range workers {
			have := w.have[g]
			up = up && i < len(have) && have[i].Addr == slot.Addr && have[i].Admin == haproxy.Ready && !have[i].Down && have[i].Weight != haproxy.NoWeight
		}
		if up {
			n++
		}
	}
	return n
}

// noteUsed records how many servers of the group are in use. If there are none, none is
// up.
func (a *availability) noteUsed(used int) {
	a.occupied = a.occupied || used > 0
	a.up = min(a.up, used)
}

// outage returns why requests of the group fail now. If instances have arrived and no
// worker has been read since, it returns the last logged outage.
func (g *group) outage(now time.Time) outage {
	a := &g.available
	switch {
	case len(g.members.Meant()) == 0 && a.occupied:
		return nobodyRegistered
	case !a.down.IsZero() && (a.fell || now.Sub(a.down) >= firstUpWithin):
		return nobodyUp
	case a.up == 0:
		return a.logged
	}
	return ""
}

// isDown reports whether the group has registered instances but none is up.
func (g *group) isDown() bool { return len(g.registered()) > 0 && !g.available.down.IsZero() }

// logOutages logs when requests of a group start to fail for lack of an instance, and
// when they are served again.
func (d *desired) logOutages(groups []*group) {
	now := d.opts.clock()
	for _, g := range groups {
		a := &g.available
		is := g.outage(now)
		if is == a.logged {
			continue
		}
		after := now.Sub(a.since).Round(time.Millisecond)
		d.reportOutage(g, is, after)
		log := d.opts.Logger.With("group", g.backend.Name)
		switch is {
		case nobodyRegistered:
			log.Warn("group has no instance left, its requests fail")
		case nobodyUp:
			log.Error("no instance of the group is up, its requests fail", "registered", len(g.registered()))
		default:
			log.Info("group serves again", "up", a.up, "after", after)
		}
		if a.logged == "" {
			a.since = now
		}
		a.logged = is
	}
}

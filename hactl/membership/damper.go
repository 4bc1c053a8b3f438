package membership

import (
	"maps"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// An instance that leaves dampAfter times within dampWindow and returns each time
	// is flapping.
	dampAfter  = 3
	dampWindow = time.Minute
	// Its return is delayed by dampFirst, then twice as long each time up to dampMost,
	// until it has stayed for dampWindow.
	dampFirst = 5 * time.Second
	dampMost  = time.Minute
	// The departures of at least this many instances are remembered, and of twice as many
	// as are registered: if more leave within dampWindow, none of them is at fault.
	leastRemembered = 16
)

// damper delays the return of flapping instances of one group. It damps at most half of
// the group: if all instances leave and return together, no single one is at fault.
type damper struct {
	flaps map[registry.Instance]*flap
	// waiting counts the damped instances.
	waiting int
}

// flap is an instance that left.
type flap struct {
	left []time.Time // the last dampAfter times
	// level is how many times its return was delayed.
	level int
	// waits is true while it is registered and damped, which lasts until the time
	// until.
	waits bool
	until time.Time
}

// filter returns which instances in now may serve; before are those that served until
// now. damped are the instances whose return is delayed from now on.
func (d *damper) filter(before, now []registry.Instance, at time.Time) (serve, damped []registry.Instance) {
	d.forget(at)
	for _, i := range before {
		if !has(now, i) {
			d.leaves(i, at)
		}
	}
	d.trim(max(leastRemembered, 2*len(now)))
	waited := make(map[registry.Instance]bool) // long enough
	for i, f := range d.flaps {
		if f.waits && (!has(now, i) || !f.until.After(at)) {
			f.waits = false
			d.waiting--
			waited[i] = true
		}
	}
	for _, i := range now {
		if f := d.flaps[i]; f != nil && !has(before, i) && !waited[i] && !f.waits && f.returns(at) {
			d.waiting++
			damped = append(damped, i)
		}
	}
	if dampsTooMany(d.waiting, len(now)) {
		for _, f := range d.flaps {
			f.waits = false
		}
		d.waiting, damped = 0, nil
	}
	if d.waiting == 0 {
		return now, nil
	}
	return slices.DeleteFunc(slices.Clone(now), d.damps), damped
}

// dampsTooMany reports whether too many of all instances are damped, so that some are
// admitted early.
func dampsTooMany(damped, all int) bool { return 2*damped > all }

// damps reports whether an instance may not serve yet.
func (d *damper) damps(i registry.Instance) bool {
	f := d.flaps[i]
	return f != nil && f.waits
}

// delays reports whether an instance that is not in service waits, or would if it
// returned now: the guard needs to know before filter has decided.
func (d *damper) delays(i registry.Instance, at time.Time) bool {
	f := d.flaps[i]
	switch {
	case f == nil:
		return false
	case f.waits:
		return f.until.After(at)
	}
	recent := 0
	for _, left := range f.left {
		if at.Sub(left) <= dampWindow {
			recent++
		}
	}
	return f.level > 0 || recent >= dampAfter
}

func (d *damper) leaves(i registry.Instance, at time.Time) {
	if d.flaps == nil {
		d.flaps = make(map[registry.Instance]*flap)
	}
	f := d.flaps[i]
	if f == nil {
		f = &flap{}
		d.flaps[i] = f
	}
	if len(f.left) == dampAfter {
		f.left = slices.Delete(f.left, 0, 1)
	}
	f.left = append(f.left, at)
}

// trim forgets undelayed instances, those that left longest ago first, if more than most
// are remembered. It leaves room for more, so that not every departure has to look for one.
func (d *damper) trim(most int) {
	if len(d.flaps) <= most {
		return
	}
	var undelayed []registry.Instance
	for i, f := range d.flaps {
		if f.level == 0 && !f.waits {
			undelayed = append(undelayed, i)
		}
	}
	slices.SortFunc(undelayed, func(a, b registry.Instance) int { return d.flaps[a].last().Compare(d.flaps[b].last()) })
	for _, i := range undelayed[:min(len(d.flaps)-most/2, len(undelayed))] {
		delete(d.flaps, i)
	}
}

// last returns when the instance left last, or may serve again if that is later.
func (f *flap) last() time.Time {
	if n := len(f.left); n > 0 && f.left[n-1].After(f.until) {
		return f.left[n-1]
	}
	return f.until
}

// returns reports whether a return at this time is delayed.
func (f *flap) returns(at time.Time) bool {
	f.left = slices.DeleteFunc(f.left, func(left time.Time) bool { return at.Sub(left) > dampWindow })
	if f.level == 0 && len(f.left) < dampAfter {
		return false
	}
	f.waits, f.until = true, at.Add(min(dampFirst<<f.level, dampMost))
	f.level = min(f.level+1, 10)
	return true
}

// forget drops instances that have neither left nor waited for long enough.
func (d *damper) forget(at time.Time) {
	maps.DeleteFunc(d.flaps, func(_ registry.Instance, f *flap) bool { return !f.waits && at.Sub(f.last()) > dampWindow })
}

// clone returns a deep copy.
func (d *damper) clone() damper {
	c := damper{flaps: make(map[registry.Instance]*flap, len(d.flaps)), waiting: d.waiting}
	for i, f := range d.flaps {
		own := *f
		own.left = slices.Clone(f.left)
		c.flaps[i] = &own
	}
	return c
}

// next returns when the first damped instance may serve; zero means never.
func (d *damper) next() (at time.Time) {
	if d.waiting == 0 {
		return at
	}
	for _, f := range d.flaps {
		if f.waits && (at.IsZero() || f.until.Before(at)) {
			at = f.until
		}
	}
	return at
}

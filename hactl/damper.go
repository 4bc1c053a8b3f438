package hactl

import (
	"maps"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// An instance that leaves dampAfter times within dampWindow and comes back
	// each time is not believed any more.
	dampAfter  = 3
	dampWindow = time.Minute
	// Its return is delayed by dampFirst, and by twice as long each time, up to
	// dampMost, until it has stayed for dampWindow.
	dampFirst = 5 * time.Second
	dampMost  = time.Minute
)

// damper keeps the instances of one group that come and go from coming back at
// once. Like [guard] it only decides. At most half of a group is damped: what
// comes and goes all together is not the fault of an instance.
type damper struct {
	flaps map[registry.Instance]*flap
	// waiting counts those that are damped.
	waiting int
}

// flap is an instance that left.
type flap struct {
	left []time.Time
	// level is how many times its return was delayed.
	level int
	// waits is true while it is registered and damped, until is how long.
	waits bool
	until time.Time
}

// filter returns who of now may serve; before are those that did until now. damped
// are those whose return begins to be delayed.
func (d *damper) filter(before, now []registry.Instance, at time.Time) (serve, damped []registry.Instance) {
	d.forget(at)
	was, is := setOf(before), setOf(now)
	for _, i := range before {
		if !is[i.Addr] {
			d.leaves(i, at)
		}
	}
	for i, f := range d.flaps {
		if f.waits && (!is[i.Addr] || !f.until.After(at)) {
			f.waits = false
			d.waiting--
			was[i.Addr] = true // it has waited
		}
	}
	for _, i := range now {
		if f := d.flaps[i]; f != nil && !was[i.Addr] && !f.waits && f.returns(at) {
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

// dampsTooMany tells whether so many damped instances of so many are let in after all.
func dampsTooMany(damped, all int) bool { return 2*damped > all }

// damps tells whether an instance is not to serve yet.
func (d *damper) damps(i registry.Instance) bool {
	f := d.flaps[i]
	return f != nil && f.waits
}

func (d *damper) leaves(i registry.Instance, at time.Time) {
	if d.flaps == nil {
		d.flaps = make(map[registry.Instance]*flap)
	}
	if d.flaps[i] == nil {
		d.flaps[i] = &flap{}
	}
	d.flaps[i].left = append(d.flaps[i].left, at)
}

// returns tells whether the return is delayed.
func (f *flap) returns(at time.Time) bool {
	f.left = slices.DeleteFunc(f.left, func(left time.Time) bool { return at.Sub(left) > dampWindow })
	if f.level == 0 && len(f.left) < dampAfter {
		return false
	}
	f.waits, f.until = true, at.Add(min(dampFirst<<f.level, dampMost))
	f.level = min(f.level+1, 10)
	return true
}

// forget drops those that have not left, and not waited, for long enough.
func (d *damper) forget(at time.Time) {
	maps.DeleteFunc(d.flaps, func(_ registry.Instance, f *flap) bool {
		last := f.until
		if n := len(f.left); n > 0 && f.left[n-1].After(last) {
			last = f.left[n-1]
		}
		return !f.waits && at.Sub(last) > dampWindow
	})
}

// clone is the same, and shares nothing that changes.
func (d *damper) clone() damper {
	c := damper{flaps: make(map[registry.Instance]*flap, len(d.flaps)), waiting: d.waiting}
	for i, f := range d.flaps {
		own := *f
		own.left = slices.Clone(f.left)
		c.flaps[i] = &own
	}
	return c
}

// next is when the first of those that are damped may serve; zero is never.
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

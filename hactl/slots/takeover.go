package slots

import (
	"net/netip"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Inherit takes over the slots of the staying and leaving instances from a table whose
// workers are replaced together with it. The table must be empty.
func (t *Table) Inherit(old *Table, stay []registry.Instance) {
	t.Unverified, t.ends = old.Unverified, old.ends
	stays := make(map[netip.AddrPort]bool, len(stay))
	for _, instance := range stay {
		stays[instance.Addr] = true
	}
	rest := t.supply()
	for i, s := range old.Slots {
		if s.Leaving() && t.drain == 0 || !s.Leaving() && (!s.Used || !stays[s.Addr]) {
			continue
		}
		if i >= len(t.Slots) {
			if i = rest.take(s.Addr); i < 0 {
				t.Grow(1)
				rest = t.supply()
				if i = rest.take(s.Addr); i < 0 {
					continue // the table has reached its limit
				}
			}
		}
		t.Slots[i], t.at[s.Addr] = s, i
		if s.Used {
			t.places.add(s.Addr, Place{Serving: 1})
		}
	}
	t.change()
}

// Resume returns a table with the same options in which each instance in want has the
// slot at which a running HAProxy has its address; nil if there is no such table. have
// is the address of each server, invalid if it has none, and inService reports whether
// a worker sends requests to it. [Places] do not count it before [Table.Replace].
func (t *Table) Resume(have []netip.AddrPort, inService func(slot int) bool, want []registry.Instance, now time.Time) *Table {
	r := New(Options{Size: len(have), Wait: t.wait, Drain: t.drain, Hashed: t.hashed, Elastic: t.elastic, Full: t.full})
	r.terms, r.termsVersion = t.terms, t.termsVersion
	r.Unverified = t.Unverified
	for i, addr := range have {
		if !addr.IsValid() {
			continue
		}
		if _, twice := r.at[addr]; twice {
			return nil
		}
		r.clock++
		r.at[addr] = i
		r.Slots[i] = Slot{Addr: addr, draining: true, freed: r.clock}
	}
	if r.Assign(want, now) > 0 {
		return nil
	}
	for i := range have { // later slots are of new instances
		s := &r.Slots[i]
		serving := s.Addr.IsValid() && s.Addr == have[i] && inService(i)
		switch {
		case s.Used && serving:
			// No first check is needed; whether it is down is restored separately.
			s.Down, s.unverified, s.unchecked = false, false, false
		case !s.Placed() && serving:
			r.left = append(r.left, i) // another group may have the address now
		}
	}
	r.change()
	return r
}

// Replace makes [Places] count this table instead of another one.
func (t *Table) Replace(before *Table) {
	t.places, before.places = before.places, nil
	for _, s := range before.Slots {
		if s.Used {
			t.places.add(s.Addr, Place{Serving: -1})
		}
	}
	for _, s := range t.Slots {
		if s.Used {
			t.places.add(s.Addr, Place{Serving: 1})
		}
	}
}

package slots

import (
	"net/netip"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

const (
	// A server with connections is tried again after busyFirst, then after twice as long each
	// time, at most after busyMost.
	busyFirst = 2 * time.Second
	busyMost  = time.Minute
)

// Elastic reports whether the table has slots only as needed.
func (t *Table) Elastic() bool { return t.elastic }

// Rested reports whether the server of slot i, which is out of service in every worker, has
// been so for at least a time, so that it may be deleted; else until is when to ask again.
// The first call begins that time.
func (t *Table) Rested(i int, now time.Time, least time.Duration) (rested bool, until time.Time) {
	s := &t.Slots[i]
	if s.deleteAt.IsZero() {
		s.deleteAt, s.deleteWait = now.Add(least), busyFirst
	}
	return !s.deleteAt.After(now), s.deleteAt
}

// Postpone records that the server of slot i could not be deleted. It returns when to try
// again.
func (t *Table) Postpone(i int, now time.Time) time.Time {
	s := &t.Slots[i]
	s.deleteAt, s.deleteWait = now.Add(s.deleteWait), min(2*s.deleteWait, busyMost)
	return s.deleteAt
}

// Forget records that no worker has the server of slot i any more.
func (t *Table) Forget(i int) {
	delete(t.at, t.Slots[i].Addr)
	t.Slots[i] = Slot{}
	t.change()
}

// Adopt gives the server of an address that somebody else has added a slot, as if its
// instance had left. It returns false if the table has reached its limit.
func (t *Table) Adopt(addr netip.AddrPort) (i int, ok bool) {
	if i, known := t.at[addr]; known {
		return i, true
	}
	supply := t.supply()
	if i = supply.take(addr); i < 0 {
		return 0, false
	}
	t.clock++
	t.Slots[i] = Slot{Addr: addr, draining: true, freed: t.clock}
	t.at[addr] = i
	t.change()
	return i, true
}

// Away reports whether a worker's server takes no requests: it is in maintenance, or
// missing.
func Away(have haproxy.Server) bool { return have.Absent || have.Admin == haproxy.Maint }

package slots

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Table assigns slots to the instances of one group. An instance keeps its slot; a free
// slot is reused as late as possible, or the slot follows from the address.
type Table struct {
	Slots []Slot
	// Beyond counts the instances that get no slot until another one leaves, because
	// the table has reached its limit.
	Beyond int
	// Unverified are instances that must wait for a health check when they enter, as if
	// Wait were set.
	Unverified map[registry.Instance]bool

	at    map[netip.AddrPort]int // the slot of each address, used or not
	clock uint64
	// version changes whenever a slot may have changed, and is never 0.
	version uint64
	tally   tally
	resting resting
	// want is the last assigned list; at version assigned the table had all of it
	// except for unplaced instances.
	want     []registry.Instance
	assigned uint64
	unplaced int
	// most is the maximum number of slots; a larger table keeps its slots.
	most int
	// entered has the addresses that were assigned slots since [Table.Moves], left the
	// slots that instances left permanently.
	entered []netip.AddrPort
	left    []int
	wait    bool
	drain   time.Duration
	// full is the configured weight of the servers, see [Options].
	full int
	// terms are those of the registrations, at termsVersion.
	terms        map[registry.Instance]registry.Terms
	termsVersion int
	// ends is when the first leaving slot is to be taken out; zero if none is leaving.
	ends   time.Time
	places Places
	hashed bool
	// elastic is true if the table has as many slots as it needs, up to most.
	elastic bool
}

// Options of a [Table].
type Options struct {
	// Size is the number of slots, all of them free.
	Size int
	// Wait is true if an entering instance is down until a health check finds it up.
	Wait bool
	// Drain is how long a leaving instance keeps its sticky sessions; 0 disables that.
	Drain time.Duration
	// Hashed is true if HAProxy chooses servers by a hash over slots: then the slot follows
	// from the address, so that restarts and other load balancers make the same choice.
	Hashed bool
	// Elastic is true if instances get new slots as needed, since HAProxy has no servers for
	// those that are free.
	Elastic bool
	// Full is the configured weight of the servers, of which registered weights are
	// percentages; 0 ignores those.
	Full int
	// Places counts the used slots of all tables of a proxy; it may be nil.
	Places Places
}

// New returns a table of free slots.
func New(o Options) *Table {
	return &Table{Slots: make([]Slot, o.Size), at: make(map[netip.AddrPort]int), wait: o.Wait, drain: o.Drain, hashed: o.Hashed && !o.Elastic, elastic: o.Elastic, full: o.Full, places: o.Places, version: 1, most: haproxy.MaxSlots}
}

// Retune changes [Options.Wait] and [Options.Drain] for what enters and leaves from now on.
func (t *Table) Retune(wait bool, drain time.Duration) { t.wait, t.drain = wait, drain }

// Version changes whenever a slot may have changed, and is never 0.
func (t *Table) Version() uint64 { return t.version }

// At returns the current or last slot of an address; false if it never had one.
func (t *Table) At(addr netip.AddrPort) (slot int, known bool) {
	slot, known = t.at[addr]
	return slot, known
}

// Waits reports whether an entering instance is down until a health check finds it up.
func (t *Table) Waits() bool { return t.wait }

// Ends returns when [Table.Settle] has something to do; zero means never.
func (t *Table) Ends() time.Time { return t.ends }

// Moves returns the addresses that were assigned slots since the last call, and the
// slots that instances have left permanently.
func (t *Table) Moves() (entered []netip.AddrPort, left []int) {
	entered, left, t.entered, t.left = t.entered, t.left, nil, nil
	return entered, left
}

// change is called before or after every change of a slot.
func (t *Table) change() { t.version++ }

// Assign makes want, which is sorted, unique and immutable, the instances in the
// occupied slots. It returns how many instances found no slot: they wait until the
// table grows or a slot with remaining sessions is [Table.Free]d.
func (t *Table) Assign(want []registry.Instance, now time.Time) (unplaced int) {
	if t.assigned == t.version && registry.SameList(t.want, want) {
		return t.grows() // no slot became free since the last call
	}
	t.change()
	wanted := make(map[netip.AddrPort]bool, len(want))
	for _, w := range want {
		wanted[w.Addr] = true
	}
	for i := range t.Slots {
		if s := &t.Slots[i]; s.Used && !wanted[s.Addr] {
			t.clock++
			left := Slot{Addr: s.Addr, draining: true, freed: t.clock}
			if t.drain > 0 && s.Operator != haproxy.Maint {
				left.Down, left.unverified, left.until = s.Down, s.unverified, now.Add(t.drain)
				if t.ends.IsZero() || left.until.Before(t.ends) {
					t.ends = left.until
				}
			}
			if !left.Leaving() {
				t.left = append(t.left, i)
			}
			t.places.add(s.Addr, Place{Serving: -1})
			*s = left
		}
	}
	unplaced = 0
	var rest *supply // found only when an instance needs a slot
	for _, w := range want {
		i, known := t.at[w.Addr]
		if known && t.Slots[i].Used {
			continue
		}
		if !known {
			// A returning address gets its slot back, even if its own sessions still
			// run there; any other address needs a slot at rest.
			if rest == nil {
				rest = t.supply()
			}
			if i = rest.take(w.Addr); i < 0 {
				unplaced++
				continue
			}
		}
		s := &t.Slots[i]
		if s.Addr.IsValid() {
			delete(t.at, s.Addr)
		}
		t.at[w.Addr] = i
		down, unverified := t.wait || t.Unverified[w], !t.wait
		if s.Leaving() {
			down, unverified = s.Down, s.unverified // it was health-checked all the time
		}
		*s = Slot{Addr: w.Addr, Used: true, Down: down, unverified: down && unverified, unchecked: down && t.wait}
		t.agree(s)
		t.places.add(w.Addr, Place{Serving: 1})
		t.entered = append(t.entered, w.Addr)
	}
	t.want, t.assigned, t.unplaced = want, t.version, unplaced
	return t.grows()
}

// grows returns how many of the instances without a slot get one when the table grows.
func (t *Table) grows() int {
	free := max(0, t.most-len(t.Slots))
	t.Beyond = max(0, t.unplaced-free)
	return min(t.unplaced, free)
}

// Limit allows the table to have more slots than now, up to [haproxy.MaxSlots].
func (t *Table) Limit(more int) { t.most = min(haproxy.MaxSlots, len(t.Slots)+more) }

// Trust marks unverified instances as up once they are registered again, like newly
// registered ones. HAProxy runs its first check some time after its start: with
// frequent reloads they would otherwise stay down forever.
func (t *Table) Trust() {
	for i := range t.Slots {
		if s := &t.Slots[i]; s.unverified && !t.Unverified[registry.Instance{Addr: s.Addr}] {
			s.Down, s.unverified = false, false
			t.change()
		}
	}
}

// Find returns the slot that an instance occupies; nil if there is none.
func (t *Table) Find(instance registry.Instance) *Slot {
	i, known := t.at[instance.Addr]
	if !known || !t.Slots[i].Used {
		return nil
	}
	return &t.Slots[i]
}

// supply has the free slots at rest, the one that has been free longest first.
type supply struct {
	table *Table
	order []int // nil if the slot follows from the address
}

func (t *Table) supply() *supply {
	if t.hashed {
		return &supply{table: t}
	}
	order := make([]int, 0, len(t.Slots))
	for i := range t.Slots {
		if t.Slots[i].AtRest() {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(t.Slots[a].freed, t.Slots[b].freed) })
	return &supply{t, order}
}

// take returns the slot at rest for an address, or -1.
func (r *supply) take(addr netip.AddrPort) int {
	if r.table.hashed {
		return r.table.ownSlot(addr)
	}
	for len(r.order) > 0 {
		i := r.order[0]
		r.order = r.order[1:]
		if r.table.Slots[i].AtRest() {
			return i
		}
	}
	if t := r.table; t.elastic && len(t.Slots) < t.most {
		t.Slots = append(t.Slots, Slot{})
		return len(t.Slots) - 1
	}
	return -1
}

// Settle takes departed instances out of service whose drain time is over or that are
// now in service elsewhere.
func (t *Table) Settle(now time.Time, elsewhere func(netip.AddrPort) bool) {
	if t.ends.IsZero() {
		return
	}
	t.ends = time.Time{}
	for i := range t.Slots {
		switch s := &t.Slots[i]; {
		case !s.Leaving():
		case !s.until.After(now) || elsewhere(s.Addr):
			s.until = time.Time{}
			t.left = append(t.left, i)
			t.change()
		case t.ends.IsZero() || s.until.Before(t.ends):
			t.ends = s.until
		}
	}
}

// Free records that no session runs on slot i any more.
func (t *Table) Free(i int) {
	t.Slots[i].draining = false
	t.change()
}

// Disturb records that slot i, which should be out of service, was found in service: new
// sessions may run on it.
func (t *Table) Disturb(i int) {
	if s := &t.Slots[i]; !s.Placed() && s.Addr.IsValid() {
		s.draining, s.round, s.deleteAt = true, 0, time.Time{}
		t.change()
	}
}

// Grow doubles the table until n more instances fit into slots that were never used.
func (t *Table) Grow(n int) {
	size := max(len(t.Slots), 1)
	for need := t.Used() + n; size < need; {
		size *= 2
	}
	if size == len(t.Slots) {
		size *= 2
	}
	if size > t.most && t.most < haproxy.MaxSlots {
		size = len(t.Slots) + n // leave some for the other groups
	}
	size = max(min(size, t.most), len(t.Slots))
	t.change()
	t.Slots = append(t.Slots, make([]Slot, size-len(t.Slots))...)
}

// Renew records that new workers have started from the rendered table: their free slots
// have no address and never had a session.
func (t *Table) Renew() {
	for i := range t.Slots {
		if s := &t.Slots[i]; !s.Placed() {
			delete(t.at, s.Addr)
			*s = Slot{}
		}
	}
	t.change()
}

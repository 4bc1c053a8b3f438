package hactl

import (
	"net/netip"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Slot is one `server` of a backend.
type Slot struct {
	// Addr is the last address given to it; invalid when it never had one.
	Addr netip.AddrPort
	// Used is true while an instance occupies it.
	Used bool
	// Down is true while no health check has found it alive: every worker's
	// found it dead, or it is to wait for its first.
	Down bool
	// unproven is true of one that is only down because it was out of service when
	// the loss of its group was recognized.
	unproven bool
	// unchecked is true of one that is to wait for its first health check, until that
	// was good.
	unchecked bool
	// Operator is the administrative state that an operator gave it; empty, or
	// Maint or Drain until they say ready or the instance leaves.
	Operator Admin
	// Weight is what an operator gave it, until the instance leaves.
	Weight Weight

	// until is when an instance that left loses its sticky sessions; zero is that
	// it has none.
	until time.Time
	// draining is true from the moment its instance left until no session of
	// that instance runs on it any more: to re-address it earlier would send
	// requests to the instance that left (HAProxy 2.2 and 2.6 keep the server
	// connection in the slot's idle pool).
	draining bool
	// freed orders free slots by when their instance left; 0 is never used.
	freed uint64
}

// leaving tells whether the slot's instance has left and keeps its sessions.
func (s Slot) leaving() bool { return !s.until.IsZero() }

// placed tells whether the slot's server is to have the slot's address.
func (s Slot) placed() bool { return s.Used || s.leaving() }

// written tells whether the slot's address is rendered. One that is only down gets
// it afterwards, with its state: rendered disabled, and left so by a daemon that
// ends at that moment, it would look like an operator's.
func (s Slot) written() bool { return s.placed() && (!s.Down || s.Operator != "") }

// serves tells of a slot that is written whether a new worker may send it requests
// from its start on.
func (s Slot) serves() bool { return s.Operator == "" && s.Weight != NoWeight }

// weight is what the slot's server is to have.
func (s Slot) weight() Weight {
	if !s.Used {
		return NoWeight // the mark that it is not an operator who took it out
	}
	return s.Weight
}

// admin is the administrative state that the slot's server is to have.
func (s Slot) admin() Admin {
	switch {
	case s.leaving():
		return Drain
	case !s.Used:
		return Maint
	case s.Operator != "":
		return s.Operator
	}
	return Ready
}

// operator says what an operator has made of the slot's server; empty is nothing.
func (s Slot) operator() string {
	if !s.Used {
		return ""
	}
	text := string(s.Operator)
	if s.Weight != 0 {
		text = strings.TrimSpace(text + " weight " + s.Weight.String())
	}
	return text
}

// matches tells whether a server is as the slot wants it.
func (s Slot) matches(h Server) bool {
	if !s.placed() {
		// Who was out of service already may lack the mark.
		return h.Admin == Maint && (h.Weight == NoWeight || h.Addr != s.Addr || !s.Addr.IsValid())
	}
	return h.Admin == s.admin() && h.Addr == s.Addr && h.Weight == s.weight()
}

// Table gives the instances of one group their slots. An instance keeps its
// slot; a free slot is reused as late as possible.
//
// Its methods belong to one goroutine.
type Table struct {
	Slots []Slot
	// Beyond counts the instances that have no slot, and get none before another one
	// leaves: there are as many as there may be.
	Beyond int

	at    map[netip.AddrPort]int // where each address is, used or not
	clock uint64
	// want is what was assigned last, which nobody changes, placed is true when
	// all of it has slots.
	want   []registry.Instance
	placed bool
	// entered are the addresses that were given slots since somebody looked.
	entered []netip.AddrPort
	wait    bool
	// drain is how long an instance that leaves keeps its sessions.
	drain time.Duration
	// ends is when the first of those that are leaving is to be out; zero is that
	// nobody is.
	ends time.Time
	// doubted are addresses that wait as if wait were true, should they enter.
	doubted map[registry.Instance]bool
}

// NewTable returns a table of size free slots. With wait an instance that enters
// is down until a health check finds it alive.
func NewTable(size int, wait bool) *Table {
	return &Table{Slots: make([]Slot, size), at: make(map[netip.AddrPort]int), wait: wait}
}

// Assign makes the occupied slots those of want, which is unique. It returns how
// many instances found no slot: they have none until the table grows or a slot
// that sessions still run on is [Table.Release]d.
func (t *Table) Assign(want []registry.Instance) (unplaced int) {
	if t.placed && sameList(t.want, want) {
		return 0
	}
	wanted := make(map[netip.AddrPort]bool, len(want))
	for _, w := range want {
		wanted[w.Addr] = true
	}
	for i := range t.Slots {
		if s := &t.Slots[i]; s.Used && !wanted[s.Addr] {
			t.clock++
			left := Slot{Addr: s.Addr, draining: true, freed: t.clock}
			if t.drain > 0 && s.Operator != Maint {
				left.Down, left.unproven, left.until = s.Down, s.unproven, time.Now().Add(t.drain)
				if t.ends.IsZero() || left.until.Before(t.ends) {
					t.ends = left.until
				}
			}
			*s = left
		}
	}
	for _, w := range want {
		i, known := t.at[w.Addr]
		if known && t.Slots[i].Used {
			continue
		}
		if !known {
			// The address that returns gets its slot back, even while its own
			// sessions run there; any other wants one that is at rest.
			if i = t.oldest(); i < 0 {
				unplaced++
				continue
			}
		}
		s := &t.Slots[i]
		if s.Addr.IsValid() {
			delete(t.at, s.Addr)
		}
		t.at[w.Addr] = i
		down, unproven := t.wait || t.doubted[w], !t.wait
		if s.leaving() {
			down, unproven = s.Down, s.unproven // it was checked all the time
		}
		*s = Slot{Addr: w.Addr, Used: true, Down: down, unproven: down && unproven, unchecked: down && t.wait}
		t.entered = append(t.entered, w.Addr)
	}
	t.want, t.placed = want, unplaced == 0
	room := max(0, maxSlots-len(t.Slots))
	t.Beyond = max(0, unplaced-room)
	return min(unplaced, room)
}

// believe takes those for alive that were only doubted, once they are registered
// again, as anybody who registers. HAProxy checks them first some time after it was
// started: where reloads follow each other sooner they would be down for ever.
func (t *Table) believe() {
	for i := range t.Slots {
		if s := &t.Slots[i]; s.unproven && !t.doubted[registry.Instance{Addr: s.Addr}] {
			s.Down, s.unproven = false, false
		}
	}
}

// find is the slot that an instance occupies, nil when there is none.
func (t *Table) find(instance registry.Instance) *Slot {
	i, known := t.at[instance.Addr]
	if !known || !t.Slots[i].Used {
		return nil
	}
	return &t.Slots[i]
}

// oldest is the index of the free slot at rest that has been free longest, or -1.
func (t *Table) oldest() int {
	best := -1
	for i, s := range t.Slots {
		if s.Used || s.draining {
			continue
		}
		if best < 0 || s.freed < t.Slots[best].freed {
			best = i
		}
	}
	return best
}

// Settle takes those out whose time is over, or who are elsewhere now.
func (t *Table) Settle(now time.Time, elsewhere func(netip.AddrPort) bool) {
	if t.ends.IsZero() {
		return
	}
	t.ends = time.Time{}
	for i := range t.Slots {
		switch s := &t.Slots[i]; {
		case !s.leaving():
		case !s.until.After(now) || elsewhere(s.Addr):
			s.until = time.Time{}
		case t.ends.IsZero() || s.until.Before(t.ends):
			t.ends = s.until
		}
	}
}

// Leaving counts the instances that have left and keep their sessions.
func (t *Table) Leaving() (n int) {
	if t.ends.IsZero() {
		return 0
	}
	for _, s := range t.Slots {
		if s.leaving() {
			n++
		}
	}
	return n
}

// Draining returns the indices of free slots, whose instances are out of service,
// that sessions may still run on.
func (t *Table) Draining() []int {
	var out []int
	for i, s := range t.Slots {
		if s.draining && !s.leaving() {
			out = append(out, i)
		}
	}
	return out
}

// Release says that no session runs on slot i any more.
func (t *Table) Release(i int) { t.Slots[i].draining = false }

// Grow doubles the table until n more instances fit into slots that were never used.
func (t *Table) Grow(n int) {
	size := max(len(t.Slots), 1)
	for need := t.Used() + n; size < need; {
		size *= 2
	}
	if size == len(t.Slots) {
		size *= 2
	}
	size = max(min(size, maxSlots), len(t.Slots))
	t.Slots = append(t.Slots, make([]Slot, size-len(t.Slots))...)
}

// Used counts the occupied slots.
func (t *Table) Used() int {
	n := 0
	for _, s := range t.Slots {
		if s.Used {
			n++
		}
	}
	return n
}

// Renew says that new workers have started from the rendered table: their free
// slots have no address, and no session has run on them.
func (t *Table) Renew() {
	for i := range t.Slots {
		if s := &t.Slots[i]; !s.placed() {
			delete(t.at, s.Addr)
			*s = Slot{}
		}
	}
}

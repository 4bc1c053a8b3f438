package slots

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// occupied returns the last number of each used slot's address, 0 for free slots.
func occupied(t *Table) []int {
	out := make([]int, len(t.Slots))
	for i, s := range t.Slots {
		if s.Used {
			out[i] = int(s.Addr.Addr().As4()[3])
		}
	}
	return out
}

func TestTableStory(t *testing.T) {
	table := New(Options{Size: 4})
	step := func(what string, unplaced int, want []int, last ...int) {
		t.Helper()
		if got := table.Assign(instances(last...), now); got != unplaced {
			t.Errorf("%s: %d unplaced, want %d", what, got, unplaced)
		}
		if diff := cmp.Diff(want, occupied(table)); diff != "" {
			t.Errorf("%s: -want +got\n%s", what, diff)
		}
	}
	step("two enter", 0, []int{1, 2, 0, 0}, 1, 2)
	step("one is replaced and takes a slot that was never used", 0, []int{0, 2, 3, 0}, 2, 3)
	step("the one that left returns to its slot, although it drains", 0, []int{1, 2, 3, 0}, 1, 2, 3)
	step("it leaves again, two enter: a draining slot is not reused", 1, []int{0, 2, 3, 4}, 2, 3, 4, 5)
	if diff := cmp.Diff([]int{0}, table.Draining()); diff != "" {
		t.Errorf("draining: -want +got\n%s", diff)
	}
	table.Free(0)
	step("at rest it is given away", 0, []int{5, 2, 3, 4}, 2, 3, 4, 5)
	step("three leave", 0, []int{0, 2, 0, 0}, 2)
	for _, i := range table.Draining() {
		table.Free(i)
	}
	step("the slot that was left first is reused first", 0, []int{6, 2, 0, 0}, 2, 6)
	step("more than slots", 2, []int{6, 2, 7, 8}, 2, 6, 7, 8, 9, 10)
	table.Grow(2)
	step("the table has doubled", 0, []int{6, 2, 7, 8, 9, 10, 0, 0}, 2, 6, 7, 8, 9, 10)
	step("none remains", 0, []int{0, 0, 0, 0, 0, 0, 0, 0})
	table.Renew()
	if got := table.Draining(); got != nil {
		t.Errorf("draining after a reload: %v", got)
	}
	for i, s := range table.Slots {
		if s != (Slot{}) {
			t.Errorf("slot %d after a reload: %+v", i, s)
		}
	}
}

func TestRowsOfATable(t *testing.T) {
	const drained = 3
	table := New(Options{Size: 8})
	table.Assign(instances(1, 2, drained, 4, 5, 6), now)
	table.Slots[1].Down = true
	table.drain = time.Minute
	table.Assign(instances(1, 2, 4, 5, 6), now)
	table.drain = 0
	table.Assign(instances(1, 2, 4, 5), now)
	table.Slots[3].Operator, table.Slots[3].Down = haproxy.Drain, true
	table.Slots[4].Weight = haproxy.NoWeight
	row := func(n int, disabled bool) haproxy.Row {
		return haproxy.Row{Addr: instances(n)[0].Addr, Disabled: disabled}
	}
	want := []haproxy.Row{row(1, false), {}, row(drained, false), row(4, true), row(5, true), {}, {}, {}}
	if diff := cmp.Diff(want, Fixed(testBackend()).Rows(table), cmpAddr); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestTableDropsOverrideAndHealthWithTheInstance(t *testing.T) {
	table := New(Options{Size: 1})
	table.Assign(instances(1), now)
	table.Slots[0].Operator, table.Slots[0].Down = haproxy.Maint, true
	table.Assign(nil, now)
	table.Assign(instances(1), now)
	if s := table.Slots[0]; s.Operator != "" || s.Down || s.Admin() != haproxy.Ready {
		t.Errorf("a new registration inherited %+v", s)
	}
}

func TestTableDoesNotGrowBeyondItsLimit(t *testing.T) {
	table := New(Options{Size: haproxy.MaxSlots - 1})
	var all []registry.Instance
	for i := range haproxy.MaxSlots + 2 {
		all = append(all, registry.Instance{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)})
	}
	same(t, "unplaced that may get slots", 1, table.Assign(all, now))
	same(t, "others", 2, table.Beyond)
	table.Grow(1)
	same(t, "unplaced", 0, table.Assign(all, now))
	same(t, "slots", haproxy.MaxSlots, len(table.Slots))
	same(t, "others", 2, table.Beyond)
	same(t, "unplaced, two have left", 0, table.Assign(all[2:], now))
	same(t, "others, while their sessions run", 2, table.Beyond)
	table.Free(0)
	table.Free(1)
	same(t, "unplaced", 0, table.Assign(all[2:], now))
	same(t, "others", 0, table.Beyond)

	table = New(Options{Size: 6000})
	table.Grow(6001)
	same(t, "slots", haproxy.MaxSlots, len(table.Slots))
}

func TestTableGrowsForAllInstances(t *testing.T) {
	for _, test := range []struct{ size, used, more, want int }{
		{5, 5, 7, 20}, {5, 0, 12, 20}, {1, 1, 1, 2}, {10, 10, 1, 20}, {10, 3, 7, 20}, {0, 0, 3, 4},
	} {
		table := New(Options{Size: test.size})
		var in []int
		for i := range test.used {
			in = append(in, i+1)
		}
		table.Assign(instances(in...), now)
		table.Grow(test.more)
		if len(table.Slots) != test.want {
			t.Errorf("%+v: grew to %d", test, len(table.Slots))
		}
	}
}

// Neither assigning unchanged instances nor counting slots is linear in the number of
// slots.
func TestUnchangedTableIsNotVisited(t *testing.T) {
	table, all := New(Options{Size: 5000}), make([]registry.Instance, 8000)
	for i := range all {
		all[i].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
	}
	table.Limit(0)
	table.Assign(all, now)
	same(t, "waiting", 3000, table.Beyond)
	version, used := table.Version(), table.Used()
	table.Slots = nil
	table.Assign(all, now)
	same(t, "given slots again", version, table.Version())
	same(t, "counted again", used, table.Used())
}

package hactl

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// instances of 10.0.0.x:80.
func instances(last ...int) []registry.Instance {
	var out []registry.Instance
	for _, n := range last {
		out = append(out, registry.Instance{Addr: netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:80", n))})
	}
	return out
}

// occupied shows a table as the last number of each slot's address, 0 where
// none is used.
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
	table := NewTable(4, false)
	step := func(what string, unplaced int, want []int, now ...int) {
		t.Helper()
		if got := table.Assign(instances(now...)); got != unplaced {
			t.Errorf("%s: %d unplaced, want %d", what, got, unplaced)
		}
		if diff := cmp.Diff(want, occupied(table)); diff != "" {
			t.Errorf("%s: -want +got\n%s", what, diff)
		}
	}
	step("two enter", 0, []int{1, 2, 0, 0}, 1, 2)
	step("one is replaced and takes a slot that was never used", 0, []int{0, 2, 3, 0}, 2, 3)
	step("the one that left returns to its slot, although it drains", 0, []int{1, 2, 3, 0}, 1, 2, 3)
	step("it leaves again, two enter: a draining slot is nobody else's", 1, []int{0, 2, 3, 4}, 2, 3, 4, 5)
	if diff := cmp.Diff([]int{0}, table.Draining()); diff != "" {
		t.Errorf("draining: -want +got\n%s", diff)
	}
	table.Release(0)
	step("at rest it is given away", 0, []int{5, 2, 3, 4}, 2, 3, 4, 5)
	step("three leave", 0, []int{0, 2, 0, 0}, 2)
	for _, i := range table.Draining() {
		table.Release(i)
	}
	step("the slot that was left first is reused first", 0, []int{6, 2, 0, 0}, 2, 6)
	step("more than slots", 2, []int{6, 2, 7, 8}, 2, 6, 7, 8, 9, 10)
	table.Grow(2)
	step("the table has doubled", 0, []int{6, 2, 7, 8, 9, 10, 0, 0}, 2, 6, 7, 8, 9, 10)
	step("none is left", 0, []int{0, 0, 0, 0, 0, 0, 0, 0})
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

func TestTableForgetsOperatorAndHealthWithTheInstance(t *testing.T) {
	table := NewTable(1, false)
	table.Assign(instances(1))
	table.Slots[0].Operator, table.Slots[0].Down = Maint, true
	table.Assign(nil)
	table.Assign(instances(1))
	if s := table.Slots[0]; s.Operator != "" || s.Down || s.admin() != Ready {
		t.Errorf("a new registration inherited %+v", s)
	}
}

func TestTableThatMayNotGrow(t *testing.T) {
	table := NewTable(maxSlots-1, false)
	var all []registry.Instance
	for i := range maxSlots + 2 {
		all = append(all, registry.Instance{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)})
	}
	same(t, "unplaced for whom there may be slots", 1, table.Assign(all))
	same(t, "others", 2, table.Beyond)
	table.Grow(1)
	same(t, "unplaced", 0, table.Assign(all))
	same(t, "slots", maxSlots, len(table.Slots))
	same(t, "others", 2, table.Beyond)
	same(t, "unplaced, two have left", 0, table.Assign(all[2:]))
	same(t, "others, while their sessions run", 2, table.Beyond)
	table.Release(0)
	table.Release(1)
	same(t, "unplaced", 0, table.Assign(all[2:]))
	same(t, "others", 0, table.Beyond)

	table = NewTable(6000, false)
	table.Grow(6001)
	same(t, "slots", maxSlots, len(table.Slots))
}

func TestTableGrowsEnough(t *testing.T) {
	for _, test := range []struct{ size, used, more, want int }{
		{5, 5, 7, 20}, {5, 0, 12, 20}, {1, 1, 1, 2}, {10, 10, 1, 20}, {10, 3, 7, 20}, {0, 0, 3, 4},
	} {
		table := NewTable(test.size, false)
		var in []int
		for i := range test.used {
			in = append(in, i+1)
		}
		table.Assign(instances(in...))
		table.Grow(test.more)
		if len(table.Slots) != test.want {
			t.Errorf("%+v: grew to %d", test, len(table.Slots))
		}
	}
}

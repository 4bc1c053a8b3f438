package slots

import (
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func TestTableInheritsSlots(t *testing.T) {
	t.Parallel()
	addr := func(n byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 80)
	}
	old := New(Options{Size: 6})
	old.Assign(instances(1, 2, 3, 4, 5, 6), now)
	old.Slots[5].Operator = haproxy.Drain
	for _, tt := range []struct {
		size int
		want map[int]netip.AddrPort
	}{
		{8, map[int]netip.AddrPort{1: addr(2), 4: addr(5), 5: addr(6)}},
		{3, map[int]netip.AddrPort{0: addr(5), 1: addr(2), 2: addr(6)}},
		{1, map[int]netip.AddrPort{0: addr(2), 1: addr(5), 2: addr(6)}},
	} {
		table := New(Options{Size: tt.size})
		table.Inherit(old, instances(2, 5, 6, 7))
		got := make(map[int]netip.AddrPort)
		for i, s := range table.Slots {
			if !s.Used {
				continue
			}
			got[i] = s.Addr
			if (s.Operator == haproxy.Drain) != (s.Addr == addr(6)) {
				t.Errorf("%d slots: slot %d: %q", tt.size, i, s.Operator)
			}
		}
		if diff := cmp.Diff(tt.want, got, cmpAddr); diff != "" {
			t.Errorf("%d slots: -want +got\n%s", tt.size, diff)
		}
		if unplaced := table.Assign(instances(2, 5, 6), now); unplaced != 0 || table.Used() != 3 {
			t.Errorf("%d slots: it does not know where they are", tt.size)
		}
	}
}

// A running HAProxy serves three addresses; one of them has left, another one is new.
func TestTableResumesRunningServers(t *testing.T) {
	places := Places{addr3: {Serving: 1}}
	before := New(Options{Size: 2, Wait: true, Drain: time.Minute, Places: places})
	before.Slots[0] = Slot{Addr: addr3, Used: true}
	running := []netip.AddrPort{addr1, addr2, {}, {}}
	serving := func(i int) bool { return i < 2 }
	table := before.Resume(running, serving, instances(2, 3), now)
	if table == nil {
		t.Fatal("there is no such table")
	}
	same(t, "slots", []Slot{
		{Addr: addr1, draining: true, freed: 1},
		{Addr: addr2, Used: true}, // no first check needed
		{Addr: addr3, Used: true, Down: true, unchecked: true},
		{},
	}, table.Slots)
	entered, left := table.Moves()
	same(t, "entered", []netip.AddrPort{addr2, addr3}, entered)
	same(t, "left", []int{0}, left)
	entered, left = table.Moves()
	same(t, "moves are reported once", 0, len(entered)+len(left))

	table.Replace(before)
	if want := (Places{addr2: {Serving: 1}, addr3: {Serving: 1}}); !maps.Equal(want, places) {
		t.Errorf("places: got %v, want %v", places, want)
	}
	if before.Resume([]netip.AddrPort{addr1, addr1}, serving, nil, now) != nil {
		t.Error("an address stands twice")
	}
	if before.Resume(running[:2], serving, instances(3), now) != nil {
		t.Error("there is no slot for the new instance")
	}
}

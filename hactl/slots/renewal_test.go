package slots

import "testing"

func TestSlotAwaitsFirstRoundAfterItsInstanceLeft(t *testing.T) {
	table := New(Options{Size: 3})
	table.Assign(instances(1, 2), now)
	table.Assign(nil, now)
	table.Await(0, 4)
	table.Await(0, 5)
	is := func(what string, done uint64, want ...bool) {
		t.Helper()
		same(t, what, want, []bool{table.Renewed(0, done), table.Renewed(1, done)})
	}
	is("an earlier round is over", 3, false, false)
	is("its round is over", 4, true, false)
	is("a later round is over", 9, true, false)
	table.Free(0)
	table.Assign(instances(3), now)
	same(t, "the next instance's slot awaits no round", uint64(0), table.Awaits(2))
	table.Assign(instances(1, 3), now)
	same(t, "nor does that of an instance that returns", uint64(0), table.Awaits(0))
}

func TestDisturbedSlotIsNotAtRest(t *testing.T) {
	table := New(Options{Size: 3})
	table.Assign(instances(1, 2), now)
	table.Assign(instances(2), now)
	table.Await(0, 1)
	table.Free(0)
	same(t, "at rest", 2, table.AtRest(3))
	for i := range 3 {
		table.Disturb(i)
	}
	same(t, "at rest: the slot that never had an address", 1, table.AtRest(3))
	same(t, "draining", []int{0}, table.Draining())
	same(t, "it awaits another round", uint64(0), table.Awaits(0))
	same(t, "used", 1, table.Used())
}

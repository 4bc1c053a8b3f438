package slots

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// assignHashed assigns each list after the other in a table of size slots, in which slots
// are at rest as soon as they are left.
func assignHashed(size int, lists ...[]int) *Table {
	table := New(Options{Size: size, Hashed: true})
	for _, list := range lists {
		table.Assign(instances(list...), now)
		for _, i := range table.Draining() {
			table.Free(i)
		}
	}
	return table
}

func TestSlotFollowsFromTheAddress(t *testing.T) {
	all := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	start := occupied(assignHashed(500, all))
	late := occupied(assignHashed(500, []int{10}, []int{7, 10, 21, 22}, []int{4, 7, 9, 10, 22}, []int{1, 4, 5, 7, 8, 9, 10}, all))
	if diff := cmp.Diff(start, late); diff != "" {
		t.Errorf("another order of registrations: -at once +later\n%s", diff)
	}
	without := occupied(assignHashed(500, []int{1, 2, 3, 5, 6, 7, 8, 9, 10}))
	without[slices.Index(start, 4)] = 4
	if diff := cmp.Diff(start, without); diff != "" {
		t.Errorf("one instance moves others: -with +without\n%s", diff)
	}
}

func TestHashedTableFillsAllSlots(t *testing.T) {
	table := assignHashed(5, []int{1, 2, 3, 4, 5})
	got := occupied(table)
	if slices.Sort(got); !slices.Equal(got, []int{1, 2, 3, 4, 5}) {
		t.Errorf("got %v", got)
	}
	if unplaced := table.Assign(instances(1, 2, 3, 4, 5, 6), now); unplaced != 1 {
		t.Errorf("%d unplaced in a full table", unplaced)
	}
}

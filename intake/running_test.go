package intake

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLatestSourceOfAProxyIsRunning(t *testing.T) {
	var r Running[int]
	has := func(want map[string]int) {
		t.Helper()
		if diff := cmp.Diff(want, maps.Collect(r.Latest())); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	over := 0
	count := func() { over++ }
	has(map[string]int{})
	r.Add("a", 1)
	r.Add("b", 2)
	r.Add("a", 3)
	has(map[string]int{"a": 3, "b": 2})
	r.Remove("a", 1, count)
	has(map[string]int{"a": 3, "b": 2})
	r.Add("a", 4)
	r.Remove("a", 4, count)
	has(map[string]int{"a": 3, "b": 2})
	if over > 0 {
		t.Error("one that still runs is over")
	}
	r.Remove("a", 3, count)
	has(map[string]int{"b": 2})
	if over != 1 {
		t.Errorf("over %d times", over)
	}
}

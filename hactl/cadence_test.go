package hactl

import (
	"math"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func TestResyncsUseASmallShareOfACore(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name  string
		costs []time.Duration
		want  time.Duration
	}{
		{"a small proxy", []time.Duration{ms, ms, ms}, time.Second},
		{"one that costs as much as it may", []time.Duration{ms * 5 / 2, ms * 5 / 2, ms * 5 / 2}, time.Second},
		{"a larger one", []time.Duration{25 * ms, 25 * ms, 25 * ms}, 10 * time.Second},
		{"a very large one", []time.Duration{time.Second, time.Second, time.Second}, 30 * time.Second},
		{"one that never answers soon", []time.Duration{math.MaxInt64 / resyncShare, math.MaxInt64 / resyncShare, math.MaxInt64 / resyncShare}, 30 * time.Second},
		{"cost of the first ones is unknown", []time.Duration{time.Second, time.Second}, time.Second},
		{"a moment of a busy machine", []time.Duration{ms, 2 * ms, time.Second}, time.Second},
		{"it has grown", []time.Duration{ms, 20 * ms, 20 * ms, 20 * ms}, 8 * time.Second},
		{"it has shrunk", []time.Duration{40 * ms, 40 * ms, 40 * ms, ms}, time.Second},
	} {
		var c cadence
		var got time.Duration
		for _, cost := range test.costs {
			got = c.next(cost, time.Second)
		}
		if got != test.want {
			t.Errorf("%s: the next one waits %s, want %s", test.name, got, test.want)
		}
	}
}

func TestCostOfAResyncIsBounded(t *testing.T) {
	var f fleet
	for range 2 {
		f.workers = append(f.workers, &worker{have: map[*group][]haproxy.Server{{}: make([]haproxy.Server, 100), {}: make([]haproxy.Server, 50)}})
	}
	if want, got := 2*mostPerWorker+300*mostPerServer, f.mostOfResync(); got != want {
		t.Errorf("at most %s, want %s", got, want)
	}
}

package membership

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each case is a sequence of lists of registered instances and the instances that
// serve.
func TestDamper(t *testing.T) {
	type step struct {
		after  time.Duration
		now    []int
		serve  []int
		damped []int // newly damped
	}
	const s = time.Second
	// Has left and returned twice already, in a group of four.
	twice := []step{
		{now: []int{1, 2, 3, 4}, serve: []int{1, 2, 3, 4}},
		{after: time.Hour, now: []int{2, 3, 4}, serve: []int{2, 3, 4}},
		{after: s, now: []int{1, 2, 3, 4}, serve: []int{1, 2, 3, 4}},
		{after: s, now: []int{2, 3, 4}, serve: []int{2, 3, 4}},
		{after: s, now: []int{1, 2, 3, 4}, serve: []int{1, 2, 3, 4}},
	}
	for name, steps := range map[string][]step{
		"the third return is delayed": append(slices.Clip(twice), []step{
			{after: s, now: []int{2, 3, 4}, serve: []int{2, 3, 4}},
			{after: s, now: []int{1, 2, 3, 4}, serve: []int{2, 3, 4}, damped: []int{1}},
			{after: 4 * s, now: []int{1, 2, 3, 4}, serve: []int{2, 3, 4}},
			{after: s, now: []int{1, 2, 3, 4}, serve: []int{1, 2, 3, 4}},
			{after: time.Hour, now: []int{1, 2, 3, 4}, serve: []int{1, 2, 3, 4}},
		}...),
		"not when it took longer than a minute": append(slices.Clip(twice), []step{
			{after: s, now: []int{2, 3, 4}, serve: []int{2, 3, 4}},
			{after: 58 * s, now: []int{1, 2, 3, 4}, serve: []int{1, 2, 3, 4}},
		}...),
		"the delay grows, its end is the longest": append(slices.Clip(twice), []step{
			{after: s, now: []int{2, 3, 4}, serve: []int{2, 3, 4}},
			{after: s, now: []int{1, 2, 3, 4}, serve: []int{2, 3, 4}, damped: []int{1}},
			{after: 5 * s, now: []int{1, 2, 3, 4}, serve: []int{1, 2, 3, 4}},
			{after: 50 * s, now: []int{2, 3, 4}, serve: []int{2, 3, 4}},
			{after: s, now: []int{1, 2, 3, 4}, serve: []int{2, 3, 4}, damped: []int{1}},
			{after: 9 * s, now: []int{1, 2, 3, 4}, serve: []int{2, 3, 4}},
			{after: s, now: []int{1, 2, 3, 4}, serve: []int{1, 2, 3, 4}},
			{after: s, now: []int{2, 3, 4}, serve: []int{2, 3, 4}},
			{after: s, now: []int{1, 2, 3, 4}, serve: []int{2, 3, 4}, damped: []int{1}}, // 20 s
			{after: s, now: []int{2, 3, 4}, serve: []int{2, 3, 4}},
			{after: s, now: []int{1, 2, 3, 4}, serve: []int{2, 3, 4}, damped: []int{1}}, // 40 s
			{after: s, now: []int{2, 3, 4}, serve: []int{2, 3, 4}},
			{after: s, now: []int{1, 2, 3, 4}, serve: []int{2, 3, 4}, damped: []int{1}}, // 60 s, not 80
			{after: 59 * s, now: []int{1, 2, 3, 4}, serve: []int{2, 3, 4}},
			{after: s, now: []int{1, 2, 3, 4}, serve: []int{1, 2, 3, 4}},
			{after: 62 * s, now: []int{2, 3, 4}, serve: []int{2, 3, 4}},
			{after: s, now: []int{1, 2, 3, 4}, serve: []int{1, 2, 3, 4}}, // it had stayed long enough
		}...),
		"other instances are unaffected": append(slices.Clip(twice), []step{
			{after: s, now: []int{3, 4}, serve: []int{3, 4}},
			{after: s, now: []int{1, 2, 3, 4, 5}, serve: []int{2, 3, 4, 5}, damped: []int{1}},
		}...),
		"a group of one": {
			{now: []int{1}, serve: []int{1}},
			{after: time.Hour},
			{after: s, now: []int{1}, serve: []int{1}},
			{after: s},
			{after: s, now: []int{1}, serve: []int{1}},
			{after: s},
			{after: s, now: []int{1}, serve: []int{1}},
			{after: s},
			{after: s, now: []int{1}, serve: []int{1}},
		},
		"whole group leaves and returns together": {
			{now: []int{1, 2, 3}, serve: []int{1, 2, 3}},
			{after: time.Hour},
			{after: s, now: []int{1, 2, 3}, serve: []int{1, 2, 3}},
			{after: s},
			{after: s, now: []int{1, 2, 3}, serve: []int{1, 2, 3}},
			{after: s},
			{after: s, now: []int{1, 2, 3}, serve: []int{1, 2, 3}},
		},
		"too few remain without it": append(slices.Clip(twice), []step{
			{after: s, now: []int{2, 3, 4}, serve: []int{2, 3, 4}},
			{after: s, now: []int{1, 2, 3, 4}, serve: []int{2, 3, 4}, damped: []int{1}},
			{after: s, now: []int{1, 2}, serve: []int{2}},
			{after: s, now: []int{1}, serve: []int{1}},
			{after: s, now: []int{1, 2, 3, 4}, serve: []int{1, 2, 3, 4}}, // it is not taken out again
		}...),
	} {
		t.Run(name, func(t *testing.T) {
			g, at := New("web", 0), time.Unix(0, 0)
			for n, step := range steps {
				at = at.Add(step.after)
				serve, damped := g.damper.filter(g.meant, instances(step.now...), at)
				g.meant = serve
				what := fmt.Sprintf("step %d", n)
				if diff := cmp.Diff(step.serve, lastOf(serve)); diff != "" {
					t.Errorf("%s: serve: -want +got\n%s", what, diff)
				}
				if diff := cmp.Diff(step.damped, lastOf(damped)); diff != "" {
					t.Errorf("%s: damped: -want +got\n%s", what, diff)
				}
				waiting := 0
				for _, f := range g.damper.flaps {
					if f.waits {
						waiting++
					}
				}
				if waiting != g.damper.waiting || (waiting > 0) == g.damper.next().IsZero() {
					t.Errorf("%s: %d wait, counted %d, next at %v", what, waiting, g.damper.waiting, g.damper.next())
				}
			}
			for range 2 { // the waiting instances enter first
				g.damper.filter(g.meant, instances(steps[len(steps)-1].now...), at.Add(3*time.Minute))
			}
			if len(g.damper.flaps) > 0 {
				t.Errorf("remembered forever: %v", g.damper.flaps)
			}
		})
	}
}

// Among many that come and go once, the one that flaps is found.
func TestDamperRemembersABoundedNumber(t *testing.T) {
	var d damper
	at := time.Unix(1e9, 0)
	before := instances(1, 2, 3, 4)
	turn := func(now ...int) (damped []int) {
		at = at.Add(10 * time.Millisecond)
		serve, found := d.filter(before, instances(now...), at)
		before = serve
		for _, i := range found {
			damped = append(damped, last(i))
		}
		return damped
	}
	for other := 5; other < 250; other++ {
		turn(1, 2, 3, 4, other)
		turn(1, 2, 3, 4)
		if len(d.flaps) > leastRemembered {
			t.Fatalf("%d are remembered, at most %d should be", len(d.flaps), leastRemembered)
		}
		if other%5 != 0 {
			continue
		}
		turn(2, 3, 4)
		if damped := turn(1, 2, 3, 4); len(damped) > 0 {
			same(t, "the one that returns for the third time is damped", []int{1}, damped)
			return
		}
	}
	t.Error("none was damped")
}

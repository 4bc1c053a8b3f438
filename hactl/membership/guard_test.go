package membership

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Each case is a sequence of lists of registered instances, with their health, and the
// instances in service.
func TestGuard(t *testing.T) {
	type step struct {
		after time.Duration // since the previous step
		late  time.Duration // the list may have changed this long before it was seen
		now   []int         // registered
		down  []int         // all others in service are up and take requests
		many  bool          // other groups are lost as well
		want  []int         // in service
		over  string
	}
	ms := time.Millisecond
	for name, story := range map[string]struct {
		share     int
		unchecked bool
		elsewhere []int
		steps     []step
	}{
		"three vanish at once": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, want: []int{1, 2, 3}},
			{after: 59 * time.Second, want: []int{1, 2, 3}},
			{after: time.Second, over: "hold timeout reached"},
			{after: time.Hour},
		}},
		"two are too few": {steps: []step{
			{now: []int{1, 2}, want: []int{1, 2}},
			{after: time.Hour, want: []int{1, 2}}, // the grace period, in case other groups follow
			{after: emptyWait},
		}},
		"two of three are not all": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, now: []int{3}, want: []int{3}},
		}},
		"a path is wiped child by child": {steps: []step{
			{now: []int{1, 2, 3, 4, 5}, want: []int{1, 2, 3, 4, 5}},
			{after: time.Hour, now: []int{3, 4, 5}, want: []int{3, 4, 5}},
			{after: 5 * ms, now: []int{5}, want: []int{5}},
			{after: 5 * ms, want: []int{1, 2, 3, 4, 5}},
			{after: 9 * time.Second, want: []int{1, 2, 3, 4, 5}},
			{after: 60 * time.Second, over: "hold timeout reached"},
		}},
		"a rolling stop": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: 3 * time.Second, now: []int{2, 3}, want: []int{2, 3}},
			{after: 3 * time.Second, now: []int{3}, want: []int{3}},
			{after: 3 * time.Second, want: []int{3}},
			{after: emptyWait},
		}},
		"a quick rolling stop": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: 300 * ms, now: []int{2, 3}, want: []int{2, 3}},
			{after: 300 * ms, now: []int{3}, want: []int{3}},
			{after: 300 * ms, down: []int{1, 2}, want: []int{1, 2, 3}},
			{after: 10 * time.Second, down: []int{1, 2}, over: "earlier departures have stopped"},
		}},
		"the last departure is seen late": {steps: []step{
			{now: []int{1, 2, 3, 4}, want: []int{1, 2, 3, 4}},
			{after: time.Hour, now: []int{4}, want: []int{4}},
			{after: 3 * time.Second, now: []int{4}, want: []int{4}},
			{after: time.Second, late: 3 * time.Second, want: []int{1, 2, 3, 4}},
		}},
		"late, but the others left long before": {steps: []step{
			{now: []int{1, 2, 3, 4}, want: []int{1, 2, 3, 4}},
			{after: time.Hour, now: []int{4}, want: []int{4}},
			{after: 6 * time.Second, late: 3 * time.Second, want: []int{4}},
			{after: emptyWait},
		}},
		"remaining instance is out of service": {steps: []step{
			{now: []int{1, 2, 3, 4}, down: []int{4}, want: []int{1, 2, 3, 4}},
			{after: time.Hour, now: []int{3, 4}, down: []int{4}, want: []int{3, 4}},
			{after: time.Second, now: []int{4}, down: []int{4}, want: []int{1, 2, 3, 4}},
			{after: time.Second, down: []int{4}, want: []int{1, 2, 3}},
			{after: time.Second, now: []int{1, 2, 3, 4}, down: []int{4}, want: []int{1, 2, 3, 4}, over: "all held instances registered again"},
		}},
		"it was the only other instance": {steps: []step{
			{now: []int{1, 2, 3}, down: []int{2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, now: []int{2, 3}, down: []int{2, 3}, want: []int{2, 3}},
		}},
		"it goes out of service later": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, now: []int{3}, want: []int{3}},
			{after: 3 * time.Second, now: []int{3}, down: []int{3}, want: []int{3}},
		}},
		"down instances are released one by one": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, down: []int{2}, want: []int{1, 3}},
			{after: time.Second, down: []int{1, 2}, want: []int{3}},
			{after: time.Second, down: []int{1, 2, 3}, over: "no held instance is healthy any more"},
		}},
		"all are down already": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, down: []int{1, 2, 3}, over: "no held instance is healthy any more"},
		}},
		"held instances register again": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, want: []int{1, 2, 3}},
			{after: time.Second, now: []int{2}, want: []int{1, 2, 3}},
			{after: time.Second, now: []int{2, 3}, want: []int{1, 2, 3}},
			{after: time.Second, now: []int{1, 2, 3}, want: []int{1, 2, 3}, over: "all held instances registered again"},
			{after: time.Hour, want: []int{1, 2, 3}},
		}},
		"one that came back leaves again": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, want: []int{1, 2, 3}},
			{after: time.Second, now: []int{2}, want: []int{1, 2, 3}},
			{after: time.Second, want: []int{1, 2, 3}},
		}},
		"one that was down comes back, the others stay": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, down: []int{2}, want: []int{1, 3}},
			{after: time.Second, now: []int{2}, want: []int{1, 2, 3}},
			{after: time.Second, now: []int{1, 2, 3}, want: []int{1, 2, 3}, over: "all held instances registered again"},
			{after: time.Hour, now: []int{4}, want: []int{4}},
		}},
		"a new registration ends it": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, want: []int{1, 2, 3}},
			{after: time.Second, now: []int{4}, want: []int{4}, over: "a new instance has registered"},
		}},
		"blue leaves when green comes": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, now: []int{4, 5, 6}, want: []int{4, 5, 6}},
		}},
		"green takes no requests yet": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, now: []int{4, 5}, down: []int{4, 5}, want: []int{1, 2, 3, 4, 5}},
			{after: 9 * time.Second, now: []int{4, 5}, down: []int{2, 4, 5}, want: []int{1, 3, 4, 5}},
			{after: time.Second, now: []int{4, 5}, down: []int{4}, want: []int{4, 5}, over: "a new instance has registered"},
		}},
		"one after another, each alone": {steps: []step{
			{now: []int{1}, want: []int{1}},
			{want: []int{1}},
			{now: []int{2}, want: []int{2}},
			{want: []int{2}},
			{now: []int{3}, want: []int{3}},
			{want: []int{3}},
			{now: []int{4}, want: []int{4}},
			{want: []int{4}},
			{after: emptyWait},
		}},
		"the new ones vanish with the old": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, now: []int{1, 2, 3, 4}, want: []int{1, 2, 3, 4}},
			{after: time.Second, want: []int{1, 2, 3, 4}},
		}},
		"many groups at once, one with a single instance": {steps: []step{
			{now: []int{1}, want: []int{1}},
			{after: time.Hour, many: true, want: []int{1}},
			{after: time.Minute, over: "hold timeout reached"},
		}},
		"more groups are lost later": {steps: []step{
			{now: []int{1, 2}, want: []int{1, 2}},
			{after: time.Hour, want: []int{1, 2}},
			{after: emptyWait / 2, many: true, want: []int{1, 2}},
			{after: 59 * time.Second, many: true, want: []int{1, 2}},
			{after: time.Second, many: true, over: "hold timeout reached"},
		}},
		"more groups are lost after removal": {steps: []step{
			{now: []int{1, 2}, want: []int{1, 2}},
			{after: time.Hour, want: []int{1, 2}},
			{after: emptyWait},
			{after: time.Second, many: true, want: []int{1, 2}},
			{after: 10 * time.Second, many: true, down: []int{2}, want: []int{1}},
		}},
		"last instances wait and return": {steps: []step{
			{now: []int{1, 2}, want: []int{1, 2}},
			{after: time.Hour, want: []int{1, 2}},
			{after: emptyWait / 2, now: []int{2}, want: []int{1, 2}},
			{after: emptyWait / 2, now: []int{2}, want: []int{2}},
		}},
		"a share": {share: 70, steps: []step{
			{now: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, want: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
			{after: time.Hour, now: []int{1, 2, 3, 4}, want: []int{1, 2, 3, 4}},
			{after: time.Hour, now: []int{1}, want: []int{1, 2, 3, 4}},
			{after: time.Second, now: []int{1, 11}, want: []int{1, 11}, over: "a new instance has registered"},
		}},
		"more than the share, but new ones came": {share: 50, steps: []step{
			{now: []int{1, 2, 3, 4}, want: []int{1, 2, 3, 4}},
			{after: time.Hour, now: []int{1, 2, 3, 4, 5}, want: []int{1, 2, 3, 4, 5}},
			{after: time.Second, now: []int{4, 5}, want: []int{4, 5}},
		}},
		"the share, and then the rest": {share: 60, steps: []step{
			{now: []int{1, 2, 3, 4, 5}, want: []int{1, 2, 3, 4, 5}},
			{after: time.Hour, now: []int{4, 5}, want: []int{1, 2, 3, 4, 5}},
			{after: 5 * time.Second, want: []int{1, 2, 3, 4, 5}},
			{after: 55 * time.Second, over: "hold timeout reached"},
		}},
		"instance registered in another group is not held": {elsewhere: []int{2}, steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, want: []int{1, 3}},
		}},
		"no health checks": {unchecked: true, steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			g, f, at := New("web", story.share), &world{unguarded: true, freeServers: 100}, time.Unix(0, 0)
			for n, s := range story.steps {
				at = at.Add(s.after)
				f.down = s.down
				if now := instances(s.now...); !slices.Equal(now, g.registered.Instances) {
					g.See(registry.Group{Name: "web", Instances: now, Since: at.Add(-s.late)}, f.Up, at)
				}
				d := g.Decide(f, s.many, at)
				f.serves, f.unguarded, f.elsewhere = g.Meant(), story.unchecked, story.elsewhere
				what := fmt.Sprintf("step %d", n)
				if diff := cmp.Diff(s.want, lastOf(g.Meant())); diff != "" {
					t.Errorf("%s: in service: -want +got\n%s", what, diff)
				}
				if d.Over != s.over {
					t.Errorf("%s: over because %q, want %q", what, d.Over, s.over)
				}
			}
		})
	}
}

// An instance that was already out of service gets no requests before a successful
// health check.
func TestHeldInstanceOutOfServiceIsUnverified(t *testing.T) {
	g, f, at := New("web", 0), &world{}, time.Unix(0, 0)
	step := func(last ...int) {
		g.See(registry.Group{Name: "web", Instances: instances(last...)}, f.Up, at)
		g.Decide(f, false, at)
		f.serves = g.Meant()
	}
	step(1, 2, 3)
	step(2, 3)
	at = at.Add(200 * time.Millisecond)
	step(3)
	step()
	same(t, "in service", []int{1, 2, 3}, lastOf(g.Meant()))
	for last, unverified := range map[int]bool{1: true, 2: false, 3: false} {
		if got := g.Unverified()[instances(last)[0]]; got != unverified {
			t.Errorf("instance %d: unverified %v, want %v", last, got, unverified)
		}
	}
}

func TestManyLost(t *testing.T) {
	for _, test := range []struct {
		held, lost, full, empty int
		want                    bool
	}{
		{lost: 1, empty: 5},             // a single group is judged by its size
		{lost: 2, empty: 5, want: true}, // a group that never had an instance does not count
		{lost: 2, full: 2},
		{lost: 3, full: 2, want: true},
		{full: 3},
		{held: 1, lost: 1}, // it was lost before
		{held: 1, lost: 2, want: true},
	} {
		var groups []*Group
		add := func(n int, change func(*Group)) {
			for range n {
				g := New("web", 0)
				change(g)
				groups = append(groups, g)
			}
		}
		f, at := &world{serves: instances(1)}, time.Unix(0, 0)
		before := at.Add(-time.Minute)
		fill := func(g *Group) {
			g.See(registry.Group{Instances: instances(1)}, f.Up, before)
			g.Decide(f, false, before)
		}
		add(test.held, func(g *Group) {
			fill(g)
			g.See(registry.Group{}, f.Up, before)
			g.Decide(f, true, before)
			same(t, "held", 1, g.HeldCount())
		})
		add(test.lost, func(g *Group) { fill(g); g.See(registry.Group{}, f.Up, at) })
		add(test.full, fill)
		add(test.empty, func(*Group) {})
		if got := ManyLost(slices.Values(groups), at); got != test.want {
			t.Errorf("%+v: got %v", test, got)
		}
	}
}

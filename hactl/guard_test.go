package hactl

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// lastOf shows instances as the last numbers of their addresses.
func lastOf(instances []registry.Instance) []int {
	var out []int
	for _, i := range instances {
		out = append(out, int(i.Addr.Addr().As4()[3]))
	}
	return out
}

func nowhere(registry.Instance) bool { return false }

// TestGuard tells stories of one group: what is registered, who is up, and who
// is in service then.
func TestGuard(t *testing.T) {
	type step struct {
		after time.Duration // since the step before
		late  time.Duration // so long before it may have been so
		now   []int         // registered
		down  []int         // whoever else is in service is up, and takes requests
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
			{after: time.Second, over: "the time is over"},
			{after: time.Hour},
		}},
		"two are too few": {steps: []step{
			{now: []int{1, 2}, want: []int{1, 2}},
			{after: time.Hour, want: []int{1, 2}}, // a moment, in case others follow
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
			{after: 60 * time.Second, over: "the time is over"},
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
			{after: 10 * time.Second, down: []int{1, 2}, over: "those that left before have stopped"},
		}},
		"the news of the last one is late": {steps: []step{
			{now: []int{1, 2, 3, 4}, want: []int{1, 2, 3, 4}},
			{after: time.Hour, now: []int{4}, want: []int{4}},
			{after: 3 * time.Second, now: []int{4}, want: []int{4}},
			{after: time.Second, late: 3 * time.Second, want: []int{1, 2, 3, 4}},
		}},
		"it is late, but the others left long before": {steps: []step{
			{now: []int{1, 2, 3, 4}, want: []int{1, 2, 3, 4}},
			{after: time.Hour, now: []int{4}, want: []int{4}},
			{after: 6 * time.Second, late: 3 * time.Second, want: []int{4}},
			{after: emptyWait},
		}},
		"the one that is left is out of service": {steps: []step{
			{now: []int{1, 2, 3, 4}, down: []int{4}, want: []int{1, 2, 3, 4}},
			{after: time.Hour, now: []int{3, 4}, down: []int{4}, want: []int{3, 4}},
			{after: time.Second, now: []int{4}, down: []int{4}, want: []int{1, 2, 3, 4}},
			{after: time.Second, down: []int{4}, want: []int{1, 2, 3}},
			{after: time.Second, now: []int{1, 2, 3, 4}, down: []int{4}, want: []int{1, 2, 3, 4}, over: "all have come back"},
		}},
		"it was the only one beside": {steps: []step{
			{now: []int{1, 2, 3}, down: []int{2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, now: []int{2, 3}, down: []int{2, 3}, want: []int{2, 3}},
		}},
		"it goes out of service later": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, now: []int{3}, want: []int{3}},
			{after: 3 * time.Second, now: []int{3}, down: []int{3}, want: []int{3}},
		}},
		"who is down is let go, one by one": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, down: []int{2}, want: []int{1, 3}},
			{after: time.Second, down: []int{1, 2}, want: []int{3}},
			{after: time.Second, down: []int{1, 2, 3}, over: "nobody is left who is up"},
		}},
		"all are down already": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, down: []int{1, 2, 3}, over: "nobody is left who is up"},
		}},
		"they come back": {steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, want: []int{1, 2, 3}},
			{after: time.Second, now: []int{2}, want: []int{1, 2, 3}},
			{after: time.Second, now: []int{2, 3}, want: []int{1, 2, 3}},
			{after: time.Second, now: []int{1, 2, 3}, want: []int{1, 2, 3}, over: "all have come back"},
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
			{after: time.Second, now: []int{1, 2, 3}, want: []int{1, 2, 3}, over: "all have come back"},
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
		"many groups at once, one has a single instance": {steps: []step{
			{now: []int{1}, want: []int{1}},
			{after: time.Hour, many: true, want: []int{1}},
			{after: time.Minute, over: "the time is over"},
		}},
		"it turns out later that many groups are lost": {steps: []step{
			{now: []int{1, 2}, want: []int{1, 2}},
			{after: time.Hour, want: []int{1, 2}},
			{after: emptyWait / 2, many: true, want: []int{1, 2}},
			{after: 59 * time.Second, many: true, want: []int{1, 2}},
			{after: time.Second, many: true, over: "the time is over"},
		}},
		"it turns out when they are out already": {steps: []step{
			{now: []int{1, 2}, want: []int{1, 2}},
			{after: time.Hour, want: []int{1, 2}},
			{after: emptyWait},
			{after: time.Second, many: true, want: []int{1, 2}},
			{after: 10 * time.Second, many: true, down: []int{2}, want: []int{1}},
		}},
		"the last one wait, and come back": {steps: []step{
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
			{after: 55 * time.Second, over: "the time is over"},
		}},
		"who is registered in another group is not held": {elsewhere: []int{2}, steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour, want: []int{1, 3}},
		}},
		"nobody checks their health": {unchecked: true, steps: []step{
			{now: []int{1, 2, 3}, want: []int{1, 2, 3}},
			{after: time.Hour},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := testBackend()
			b.LossGuard = story.share
			if story.unchecked {
				b.Servers.Params = nil
			}
			g, at := newGroup(b, false), time.Unix(0, 0)
			for n, s := range story.steps {
				at = at.Add(s.after)
				if now := instances(s.now...); !slices.Equal(now, g.seen.Instances) {
					g.see(registry.Group{Name: "web", Instances: now, Since: at.Add(-s.late)}, at)
				}
				serves := func(i registry.Instance) bool {
					n := lastOf([]registry.Instance{i})[0]
					return slices.Contains(s.now, n) && !slices.Contains(s.down, n)
				}
				serving := 0
				for _, i := range g.seen.Instances {
					if serves(i) {
						serving++
					}
				}
				g.guard.forget(at)
				switch {
				case n == 0 || !g.checked():
				case g.guard.excessive(len(s.now), serving, s.many, at):
					g.guard.hold(g.inService, s.many, at)
					g.guard.inherit(g.seen.Instances, func(registry.Instance) bool { return false })
				case len(s.now) == 0 && g.guard.losing(at):
					g.guard.wait(g.inService, at)
				}
				g.guard.judge(serving)
				up := func(i registry.Instance) bool {
					return g.inService(i) && !slices.Contains(s.down, lastOf([]registry.Instance{i})[0])
				}
				over := g.guard.review(serves, up, func(i registry.Instance) bool {
					return slices.Contains(story.elsewhere, lastOf([]registry.Instance{i})[0])
				}, at)
				g.decide(nowhere, at)
				g.table.Assign(g.meant)
				what := fmt.Sprintf("step %d", n)
				if diff := cmp.Diff(s.want, lastOf(g.meant)); diff != "" {
					t.Errorf("%s: in service: -want +got\n%s", what, diff)
				}
				if over != s.over {
					t.Errorf("%s: over because %q, want %q", what, over, s.over)
				}
			}
		})
	}
}

// One that was out of service already proves itself before it gets requests.
func TestGuardDoubtsWhoWasOutOfService(t *testing.T) {
	g, at := newGroup(testBackend(), false), time.Unix(0, 0)
	step := func(last ...int) {
		g.see(registry.Group{Name: "web", Instances: instances(last...)}, at)
		if g.guard.excessive(len(last), len(last), false, at) {
			g.guard.hold(g.inService, false, at)
		}
		g.decide(nowhere, at)
		g.table.Assign(g.meant)
	}
	step(1, 2, 3)
	step(2, 3)
	at = at.Add(200 * time.Millisecond)
	step(3)
	step()
	for last, down := range map[int]bool{1: true, 2: false, 3: false} {
		if s := g.table.find(instances(last)[0]); s == nil || s.Down != down {
			t.Errorf("instance %d: %+v, want down %v", last, s, down)
		}
	}
}

func TestManyLost(t *testing.T) {
	for _, test := range []struct {
		held, lost, full, empty int
		want                    bool
	}{
		{lost: 1, empty: 5},             // one alone is judged by its size
		{lost: 2, empty: 5, want: true}, // who never had an instance does not count
		{lost: 2, full: 2},
		{lost: 3, full: 2, want: true},
		{full: 3},
		{held: 1, lost: 1}, // it was lost before
		{held: 1, lost: 2, want: true},
	} {
		var groups []*group
		add := func(n int, change func(*group)) {
			for range n {
				g := newGroup(testBackend(), false)
				change(g)
				groups = append(groups, g)
			}
		}
		at := time.Unix(0, 0)
		before := at.Add(-time.Minute)
		fill := func(g *group) { g.see(registry.Group{Instances: instances(1)}, at); g.decide(nowhere, at) }
		add(test.held, func(g *group) {
			fill(g)
			g.see(registry.Group{}, before)
			g.guard.hold(g.inService, false, before)
		})
		add(test.lost, func(g *group) { fill(g); g.see(registry.Group{}, at) })
		add(test.full, fill)
		add(test.empty, func(*group) {})
		if got := many(countLost(groups, at)); got != test.want {
			t.Errorf("%+v: got %v", test, got)
		}
	}
}

package hactl

import (
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// remarks of one kind, as the last numbers of the addresses.
func (s *story) remarks(kind registry.RemarkKind) []int {
	var of []registry.Instance
	for _, r := range s.Snapshot().Remarks {
		if r.Kind == kind {
			of = append(of, r.Instance)
		}
	}
	return lastOf(of)
}

func (s *story) held() []int { return s.remarks(registry.Held) }

func TestLostInstancesAreHeldWhileTheyAreUp(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4), backendOf("api", 2))
	s.set("web", 1, 2, 3, 4)
	s.set("api", 9)
	s.serve(t)
	// Dead for all workers, dead for one, alive; nobody has swept since.
	for i := range 2 {
		s.ha.worker(i).do("set server web/web1 health down")
	}
	s.ha.worker(0).do("set server web/web2 health down")
	s.set("web")
	s.serves(t, "who is up in any worker goes on", "web", 0, 2, 3, 4)
	same(t, "held", []int{2, 3, 4}, s.held())
	same(t, "served", []int{2, 3, 4}, lastOf(s.Snapshot().Groups[0].Instances))
	becomes(t, "held, by the metrics", 3, func() float64 { return s.metric(t, "haproxyzk_instances", "web", "held") })
	same(t, "registered, by the metrics", 0, s.metric(t, "haproxyzk_instances", "web", "registered"))
	same(t, "reads of all that a worker has", 0, s.ha.worker(0).asked("show servers state"))

	s.ha.worker(1).do("set server web/web2 health down")
	s.serves(t, "one was found down", "web", 0, 0, 3, 4)
	same(t, "held", []int{3, 4}, s.held())

	s.set("web", 3)
	s.serves(t, "one is registered again", "web", 0, 0, 3, 4)
	becomes(t, "held", []int{4}, s.held)
	s.set("web", 3, 5)
	becomes(t, "a new one ends it", nil, s.held)
	s.serves(t, "who is registered", "web", 5, 0, 3, 0)
	s.endsWith(t, "start")
}

// An operator has taken the last one out of one worker, which nobody knows yet.
func TestLossIsHeldWhereWhoIsLeftIsOutOfService(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4))
	s.launch(t)
	s.now(t, 1, 2, 3, 4)
	s.ha.worker(1).do("set server web/web4 state maint")
	s.now(t, 2, 3, 4)
	same(t, "held, while two are left", nil, s.held())
	s.groups[0].guard.left[0].at = s.groups[0].guard.left[0].at.Add(-3 * trustFor)
	s.now(t, 4)
	same(t, "held", []int{1, 2, 3}, s.held())
	s.apply(t.Context()) // the others follow the operator
	for i := range 2 {
		same(t, "ready", []int{1, 2, 3, 0}, s.ha.serving("web")[i])
		same(t, "who was out already", "10.0.0.1:80 down", s.ha.worker(i).show("web/web1"))
	}
	s.now(t, 1, 2, 3, 4)
	same(t, "held", nil, s.held())
}

// What leaves while the loop is busy, or the network slow, may have left together with
// what was seen to leave before.
func TestLossIsHeldWhereTheNewsIsLate(t *testing.T) {
	t.Parallel()
	for late, held := range map[time.Duration][]int{0: nil, 2500 * time.Millisecond: {1, 2, 3, 4}} {
		s := newStory(t, backendOf("web", 4))
		s.set("web", 1, 2, 3, 4)
		s.launch(t)
		s.set("web", 4)
		s.absorb(t.Context())
		s.assign(t.Context())
		for i := range s.groups[0].guard.left {
			left := &s.groups[0].guard.left[i]
			left.at = left.at.Add(-3 * time.Second)
		}
		s.absorb(t.Context())
		s.SetGroup(registry.Group{Name: "web", Since: time.Now().Add(-late)})
		s.absorb(t.Context())
		same(t, "held", held, s.held())
	}
}

func TestHeldInstancesAreReleasedAtOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.serve(t)
	s.set("web")
	becomes(t, "held", []int{1, 2, 3}, s.held)
	if _, err := s.Release("nobody's"); err == nil {
		t.Error("a group that is not there was released")
	}
	n, err := s.Release("web")
	same(t, "released", 3, n)
	same(t, "error", nil, err)
	s.serves(t, "nobody is registered", "web", 0, 0, 0)
	becomes(t, "held", nil, s.held)
	n, err = s.Release("web")
	same(t, "released again", 0, n)
	same(t, "error", nil, err)
	s.endsWith(t, "start")
}

// What comes in the same moment is no reason to hold them again.
func TestReleaseAndANewListTogether(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.launch(t)
	s.set("web")
	s.absorb(t.Context())
	same(t, "held", []int{1, 2, 3}, s.held())
	if _, err := s.Release("web"); err != nil {
		t.Fatal(err)
	}
	s.set("web")
	s.absorb(t.Context())
	same(t, "held", nil, s.held())
	same(t, "served", 0, len(s.Snapshot().Groups[0].Instances))
}

func TestHoldSurvivesAReload(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.serve(t)
	s.set("web")
	becomes(t, "held", []int{1, 2, 3}, s.held)
	s.ha.kill(0)
	becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
	s.serves(t, "in the new workers", "web", 1, 2, 3)
	staged := s.Stage(Layout{Template: s.Template, Frame: s.Frame, Backends: []Backend{backendOf("web", 5)}})
	staged.SetGroup(registry.Group{Name: "web"})
	awaited(t, "the layout is in", staged.In())
	becomes(t, "reloads", []string{"start", "worker died", "configuration"}, s.ha.causes)
	s.serves(t, "in the workers of another layout", "web", 1, 2, 3, 0, 0)
	same(t, "held", []int{1, 2, 3}, s.held())
	s.endsWith(t, "start", "worker died", "configuration")
}

// What is lost while the new layout is read is lost in it.
func TestLossInAnotherLayoutIsGuarded(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.serve(t)
	for i := range 2 {
		s.ha.worker(i).do("set server web/web2 health down")
	}
	staged := s.Stage(Layout{Template: s.Template, Frame: s.Frame, Backends: []Backend{backendOf("web", 5)}})
	staged.SetGroup(registry.Group{Name: "web"})
	awaited(t, "the layout is in", staged.In())
	becomes(t, "reloads", []string{"start", "configuration"}, s.ha.causes)
	s.serves(t, "who is alive goes on", "web", 1, 0, 3, 0, 0)
	becomes(t, "held", []int{1, 3}, s.held)
	s.endsWith(t, "start", "configuration")
}

func TestWipedDiscoveryIsHeld(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.Discover = func(name string) (Backend, error) { return backendOf(name, 2), nil }
	s.listed = false
	s.SetGroups(registry.Discovered{Names: []string{"a", "b", "c"}})
	for _, name := range []string{"a", "b", "c"} {
		s.set(name, 1)
	}
	s.SetGroups(registry.Discovered{Names: []string{"a", "b", "c"}})
	s.begin(t)
	becomes(t, "discovered", 3, func() int { return len(s.Snapshot().Groups) })
	for _, name := range []string{"a", "b", "c"} {
		s.set(name, 1)
	}
	awaited(t, "HAProxy serves", s.started)
	s.serves(t, "it serves", "a", 1, 0)
	s.SetGroups(registry.Discovered{})
	becomes(t, "held", []int{1, 1, 1}, s.held)
	for _, name := range []string{"a", "b", "c"} {
		s.serves(t, "it goes on", name, 1, 0)
	}
	same(t, "groups", 3, len(s.Snapshot().Groups))
	s.endsWith(t, "start")
}

// A server that moves to another group is not held back in its own.
func TestHeldInstanceThatMovesServesOnlyOneGroup(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3), backendOf("api", 2))
	s.set("web", 1, 2, 3)
	s.set("api", 9)
	s.serve(t)
	s.set("web")
	becomes(t, "held", []int{1, 2, 3}, s.held)
	before := time.Now()
	s.set("api", 2, 9)
	s.serves(t, "it entered", "api", 9, 2)
	s.serves(t, "the others are held", "web", 1, 0, 3)
	if took := time.Since(before); took > holdEvery {
		t.Errorf("it took %v", took)
	}
	for i := range 2 {
		writes := s.ha.worker(i).changes()
		same(t, "the writes to a worker", [][]string{write(leaves("web/web2")), write(enters("api/api2", 2))}, writes[len(writes)-2:])
	}
	s.endsWith(t, "start")
}

func TestInstanceThatComesAndGoesIsDamped(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2)
	s.serve(t)
	for range 2 {
		s.set("web", 2)
		s.serves(t, "it left", "web", 0, 2, 0)
		s.set("web", 1, 2)
		s.serves(t, "it came back", "web", 1, 2, 0)
	}
	s.set("web", 2)
	s.serves(t, "it left", "web", 0, 2, 0)
	s.set("web", 1, 2)
	becomes(t, "damped", []int{1}, func() []int { return s.remarks(registry.Damped) })
	same(t, "served", []int{2}, lastOf(s.Snapshot().Groups[0].Instances))
	becomes(t, "damped, by the metrics", 1, func() float64 { return s.metric(t, "haproxyzk_instances", "web", "damped") })
	same(t, "registered, by the metrics", 2, s.metric(t, "haproxyzk_instances", "web", "registered"))
	s.set("web", 1, 2, 3)
	s.serves(t, "another one enters", "web", 0, 2, 3)
	s.set("web", 1)
	s.serves(t, "the others have left", "web", 1, 0, 0)
	becomes(t, "damped", nil, func() []int { return s.remarks(registry.Damped) })
	s.set("web", 2)
	s.serves(t, "its removal is not delayed", "web", 0, 2, 0)
	s.endsWith(t, "start")
}

// One that is damped may leave for good.
func TestDampedInstanceLeaves(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2)
	s.launch(t)
	for range dampAfter {
		s.set("web", 2)
		s.absorb(t.Context())
		s.set("web", 1, 2)
		s.absorb(t.Context())
	}
	same(t, "damped", []int{1}, s.remarks(registry.Damped))
	s.set("web", 2)
	s.absorb(t.Context())
	same(t, "damped", 0, s.groups[0].damper.waiting)
	if !s.enterAt.IsZero() {
		t.Errorf("the loop wakes at %v for nobody", s.enterAt)
	}
}

func TestDampedInstanceComesBack(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2)
	s.serve(t)
	for range 2 {
		s.set("web", 2)
		s.serves(t, "it left", "web", 0, 2, 0)
		s.set("web", 1, 2)
		s.serves(t, "it came back", "web", 1, 2, 0)
	}
	s.set("web", 2)
	s.serves(t, "it left", "web", 0, 2, 0)
	from := time.Now()
	s.set("web", 1, 2)
	becomes(t, "damped", []int{1}, func() []int { return s.remarks(registry.Damped) })
	s.serves(t, "its time is over", "web", 1, 2, 0)
	if took := time.Since(from); took < dampFirst-time.Second {
		t.Errorf("it came back after %v", took)
	}
	becomes(t, "damped", nil, func() []int { return s.remarks(registry.Damped) })
	s.endsWith(t, "start")
}

// A path is wiped child by child: those that went first are out of service before
// it is clear that all go.
func TestLossThatIsSeenInPieces(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4))
	s.set("web", 1, 2, 3, 4)
	s.serve(t)
	s.set("web", 3, 4)
	s.serves(t, "two have left", "web", 0, 0, 3, 4)
	s.set("web")
	s.serves(t, "all go on", "web", 1, 2, 3, 4)
	same(t, "held", []int{1, 2, 3, 4}, s.held())
	s.endsWith(t, "start")
}

// The last of a group wait for a moment, and the other groups follow.
func TestSmallGroupsThatAreLostTogether(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("a", 1), backendOf("b", 1), backendOf("c", 1))
	for i, name := range []string{"a", "b", "c"} {
		s.set(name, i+1)
	}
	s.serve(t)
	registered := func() float64 { return s.metric(t, "haproxyzk_instances", "a", "registered") }
	becomes(t, "registered", 1, registered)
	s.set("a")
	becomes(t, "registered", 0, registered)
	s.set("b")
	becomes(t, "held", []int{1, 2}, s.held)
	for i := range 2 {
		same(t, "writes to a worker", nil, s.ha.worker(i).changes())
	}
	s.endsWith(t, "start")
}

func TestHeldInstancesAreAskedForWhateverElseHappens(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3), backendOf("api", 3))
	s.set("web", 1, 2, 3)
	s.set("api", 9)
	s.serve(t)
	s.set("web")
	becomes(t, "held", []int{1, 2, 3}, s.held)
	for i := range 2 {
		s.ha.worker(i).do("set server web/web2 health down")
	}
	becomes(t, "one is let go", []int{1, 3}, func() []int {
		s.set("api", 9, 8) // the loop never rests
		return s.held()
	})
	s.endsWith(t, "start")
}

// A group may be lost before the reload that brings its backend.
func TestGroupThatNoWorkerHasYetIsLost(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 1))
	s.Discover = func(name string) (Backend, error) { return backendOf(name, 3), nil }
	s.listed = false
	s.SetGroups(registry.Discovered{})
	s.set("web", 9)
	s.serve(t)
	release := s.ha.holdReload()
	s.SetGroups(registry.Discovered{Names: []string{"new"}})
	becomes(t, "reloads", []string{"start", "groups"}, s.ha.causes)
	release()
	becomes(t, "discovered", 2, func() int { return len(s.Snapshot().Groups) })
	s.end(t)
	// From here on step by step.
	g := s.groups[1]
	for _, w := range s.workers {
		delete(w.have, g)
	}
	s.set("new", 1, 2, 3)
	s.absorb(t.Context())
	s.assign(t.Context())
	s.set("new")
	s.absorb(t.Context())
	same(t, "held", []int{1, 2, 3}, s.held())
	for _, w := range s.workers {
		if w.stale {
			t.Error("a worker is taken for stale")
		}
	}
}

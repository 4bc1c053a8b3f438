package hactl

import (
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// remarks returns the instances with a kind of remark, as the last numbers of their
// addresses.
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

func TestGuardHoldsLostInstancesWhileTheyAreUp(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4), backendOf("api", 2))
	s.set("web", 1, 2, 3, 4)
	s.set("api", 9)
	s.serve(t)
	// Down in all workers, down in one, up; no resync since.
	for i := range 2 {
		s.ha.worker(i).do("set server web/web1 health down")
	}
	s.ha.worker(0).do("set server web/web2 health down")
	s.set("web")
	s.serves(t, "instances up in any worker still serve", "web", 0, 2, 3, 4)
	same(t, "held", []int{2, 3, 4}, s.held())
	same(t, "served", []int{2, 3, 4}, lastOf(s.Snapshot().Groups[0].Instances))
	becomes(t, "held, by the metrics", 3, func() float64 { return s.metric(t, "haproxyzk_instances_held", "web") })
	same(t, "registered, by the metrics", 0, s.metric(t, "haproxyzk_instances_registered", "web"))
	same(t, "reads of all that a worker has", 0, s.ha.worker(0).asked("show servers state"))

	s.ha.worker(1).do("set server web/web2 health down")
	s.serves(t, "one was found down", "web", 0, 0, 3, 4)
	same(t, "held", []int{3, 4}, s.held())

	s.set("web", 3)
	s.serves(t, "one is registered again", "web", 0, 0, 3, 4)
	becomes(t, "held", []int{4}, s.held)
	s.set("web", 3, 5)
	becomes(t, "a new one ends it", nil, s.held)
	s.serves(t, "registered instances", "web", 5, 0, 3, 0)
	s.endsWith(t, "start")
}

// An operator has taken the last instance out of one worker, which has not been read
// since.
func TestGuardHoldsGroupWhoseRemainingInstanceIsOutOfService(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4))
	s.launch(t)
	s.now(t, 1, 2, 3, 4)
	s.ha.worker(1).do("set server web/web4 state maint")
	s.now(t, 2, 3, 4)
	same(t, "held while two remain", nil, s.held())
	s.passes(300 * time.Millisecond)
	s.now(t, 4)
	same(t, "held", []int{1, 2, 3}, s.held())
	s.apply(t.Context(), s.desired.groups) // the other workers follow the operator
	for i := range 2 {
		same(t, "ready", []int{1, 2, 3, 0}, s.ha.serving("web")[i])
		same(t, "already out of service", "10.0.0.1:80 down", s.ha.worker(i).show("web/web1"))
	}
	s.now(t, 1, 2, 3, 4)
	same(t, "held", nil, s.held())
}

// Departures seen late, because the loop is busy or the network slow, may have happened
// together with earlier ones.
func TestGuardHoldsInstancesWhenListsArriveLate(t *testing.T) {
	t.Parallel()
	for late, held := range map[time.Duration][]int{0: nil, 2500 * time.Millisecond: {1, 2, 3, 4}} {
		s := newStory(t, backendOf("web", 4))
		s.set("web", 1, 2, 3, 4)
		s.launch(t)
		s.set("web", 4)
		s.absorb(t.Context())
		s.assign(t.Context())
		s.passes(3 * time.Second)
		s.absorb(t.Context())
		s.SetGroup(registry.Group{Name: "web", Since: s.time().Add(-late)})
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
	if _, err := s.Release("unknown"); err == nil {
		t.Error("a group that is not there was released")
	}
	n, err := s.Release("web")
	same(t, "released", 3, n)
	same(t, "error", nil, err)
	s.serves(t, "none registered", "web", 0, 0, 0)
	becomes(t, "held", nil, s.held)
	n, err = s.Release("web")
	same(t, "released again", 0, n)
	same(t, "error", nil, err)
	s.endsWith(t, "start")
}

// An instance that registers in the same moment does not cause a new hold.
func TestReleasedInstancesAreNotHeldAgainByNewList(t *testing.T) {
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
	staged := s.Stage(Layout{Template: s.options.Template, Frame: s.options.Frame, Backends: []haproxy.Backend{backendOf("web", 5)}})
	staged.SetGroup(registry.Group{Name: "web"})
	awaited(t, "the layout is in", staged.In())
	becomes(t, "reloads", []string{"start", "worker died", "configuration"}, s.ha.causes)
	s.serves(t, "in the workers of another layout", "web", 1, 2, 3, 0, 0)
	same(t, "held", []int{1, 2, 3}, s.held())
	s.endsWith(t, "start", "worker died", "configuration")
}

// Instances lost while the new layout is read are lost in the new layout.
func TestLossInNewLayoutIsGuarded(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.serve(t)
	for i := range 2 {
		s.ha.worker(i).do("set server web/web2 health down")
	}
	staged := s.Stage(Layout{Template: s.options.Template, Frame: s.options.Frame, Backends: []haproxy.Backend{backendOf("web", 5)}})
	staged.SetGroup(registry.Group{Name: "web"})
	awaited(t, "the layout is in", staged.In())
	becomes(t, "reloads", []string{"start", "configuration"}, s.ha.causes)
	s.serves(t, "live instances still serve", "web", 1, 0, 3, 0, 0)
	becomes(t, "held", []int{1, 3}, s.held)
	s.endsWith(t, "start", "configuration")
}

func TestGuardHoldsGroupsOfWipedDiscovery(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.with(func(o *Options) {
		o.Discover = func(name string) (haproxy.Backend, error) { return backendOf(name, 2), nil }
	})
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
	awaited(t, "HAProxy is serving", s.started)
	s.serves(t, "it serves", "a", 1, 0)
	s.SetGroups(registry.Discovered{})
	becomes(t, "held", []int{1, 1, 1}, s.held)
	for _, name := range []string{"a", "b", "c"} {
		s.serves(t, "still serving", name, 1, 0)
	}
	same(t, "groups", 3, len(s.Snapshot().Groups))
	s.endsWith(t, "start")
}

// An instance that moves to another group is not held in its old one.
func TestMovedInstanceIsNotHeldInItsOldGroup(t *testing.T) {
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

func TestFlappingInstanceIsDamped(t *testing.T) {
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
	becomes(t, "damped, by the metrics", 1, func() float64 { return s.metric(t, "haproxyzk_instances_damped", "web") })
	same(t, "registered, by the metrics", 2, s.metric(t, "haproxyzk_instances_registered", "web"))
	s.set("web", 1, 2, 3)
	s.serves(t, "another one enters", "web", 0, 2, 3)
	s.set("web", 1)
	s.serves(t, "the others have left", "web", 1, 0, 0)
	becomes(t, "damped", nil, func() []int { return s.remarks(registry.Damped) })
	s.set("web", 2)
	s.serves(t, "its removal is not delayed", "web", 0, 2, 0)
	s.endsWith(t, "start")
}

// A damped instance may deregister for good.
func TestDampedInstanceMayDeregister(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2)
	s.launch(t)
	for range 3 {
		s.set("web", 2)
		s.absorb(t.Context())
		s.set("web", 1, 2)
		s.absorb(t.Context())
	}
	same(t, "damped", []int{1}, s.remarks(registry.Damped))
	s.set("web", 2)
	s.absorb(t.Context())
	same(t, "damped", 0, s.members(0).Damped())
	if !s.desired.enterAt.IsZero() {
		t.Errorf("the loop wakes at %v for no instance", s.desired.enterAt)
	}
}

func TestDampedInstanceReturnsAfterItsDelay(t *testing.T) {
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
	if took := time.Since(from); took < 4*time.Second {
		t.Errorf("it came back after %v", took)
	}
	becomes(t, "damped", nil, func() []int { return s.remarks(registry.Damped) })
	s.endsWith(t, "start")
}

// A path is wiped child by child: the first instances are out of service before it is
// clear that all leave.
func TestGuardHoldsGroupWipedChildByChild(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4))
	s.set("web", 1, 2, 3, 4)
	s.serve(t)
	s.set("web", 3, 4)
	s.serves(t, "two have left", "web", 0, 0, 3, 4)
	s.set("web")
	s.serves(t, "all still serve", "web", 1, 2, 3, 4)
	same(t, "held", []int{1, 2, 3, 4}, s.held())
	s.endsWith(t, "start")
}

// The last instances of a group wait for the grace period while other groups are lost.
func TestGuardHoldsSmallGroupsLostTogether(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("a", 1), backendOf("b", 1), backendOf("c", 1))
	for i, name := range []string{"a", "b", "c"} {
		s.set(name, i+1)
	}
	s.serve(t)
	registered := func() float64 { return s.metric(t, "haproxyzk_instances_registered", "a") }
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

func TestHealthOfHeldInstancesIsReadOnABusyLoop(t *testing.T) {
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
		s.set("api", 9, 8) // the loop is never idle
		return s.held()
	})
	s.endsWith(t, "start")
}

// A group may be lost before the reload that adds its backend.
func TestLossOfGroupWithoutBackendIsNotGuarded(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 1))
	s.with(func(o *Options) {
		o.Discover = func(name string) (haproxy.Backend, error) { return backendOf(name, 3), nil }
	})
	s.SetGroups(registry.Discovered{})
	s.set("web", 9)
	s.serve(t)
	release := s.ha.holdReload()
	s.SetGroups(registry.Discovered{Names: []string{"new"}})
	becomes(t, "reloads", []string{"start", "groups"}, s.ha.causes)
	release()
	becomes(t, "discovered", 2, func() int { return len(s.Snapshot().Groups) })
	s.end(t)
	// From here on the test calls each step itself.
	g := s.desired.groups[1]
	for _, w := range s.fleet.workers {
		delete(w.have, g)
	}
	s.set("new", 1, 2, 3)
	s.absorb(t.Context())
	s.assign(t.Context())
	s.set("new")
	s.absorb(t.Context())
	same(t, "held", []int{1, 2, 3}, s.held())
	for _, w := range s.fleet.workers {
		if w.stale {
			t.Error("a worker is taken for stale")
		}
	}
}

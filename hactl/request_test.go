package hactl

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// layouts returns what makes the story's layout with other backends. It is
// called before the story begins.
func (s *story) layouts() func(...Backend) Layout {
	l := Layout{Template: s.Template, Frame: s.Frame}
	return func(backends ...Backend) Layout {
		l.Backends = backends
		return l
	}
}

// shown are the groups that others see.
func (s *story) shown() (names []string) {
	for _, g := range s.Snapshot().Groups {
		names = append(names, g.Name)
	}
	return names
}

func (s *Source) fill(group string, last ...int) {
	s.SetGroup(registry.Group{Name: group, Instances: instances(last...)})
}

func TestReloadsThatAreAskedForBecomeOne(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Reload("signal") // the start is one
	s.set("web", 1)
	s.serve(t)
	release := s.ha.holdReload()
	s.Reload("signal")
	becomes(t, "reloads", []string{"start", "signal"}, s.ha.causes)
	for range 10 {
		s.Reload("signal")
	}
	release()
	becomes(t, "reloads", []string{"start", "signal", "signal"}, s.ha.causes)
	s.serves(t, "as before", "web", 1, 0, 0)
	s.endsWith(t, "start", "signal", "signal")
}

func TestReloadThatIsAskedForIsNotLostInOneForSlots(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 1))
	s.set("web", 1)
	s.serve(t)
	s.set("web", 1, 2) // waits for the gap after the start
	becomes(t, "seen", 2, func() int { return len(s.Snapshot().Groups[0].Instances) })
	s.Reload("signal")
	s.set("web", 1)
	becomes(t, "reloads", []string{"start", "signal"}, s.ha.causes)
	s.endsWith(t, "start", "signal")
}

func TestStagedLayoutWaitsUntilAllIsRead(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3), backendOf("old", 2))
	layoutOf := s.layouts()
	s.set("web", 1, 2)
	s.set("old", 9)
	s.serve(t)

	next := s.Stage(layoutOf(backendOf("new", 2), backendOf("web", 5)))
	next.fill("web", 2, 3)
	s.set("web", 1, 2, 4) // until then all goes on
	s.serves(t, "as before", "web", 1, 2, 4)
	same(t, "groups", []string{"web", "old"}, s.shown())
	select {
	case <-next.In():
		t.Fatal("it counts although a group is missing")
	default:
	}

	next.fill("new", 7)
	awaited(t, "it counts", next.In())
	s.serves(t, "instances keep their slots", "web", 3, 2, 0, 0, 0)
	s.serves(t, "a new group", "new", 7, 0)
	becomes(t, "groups", []string{"new", "web"}, s.shown)
	becomes(t, "ready", true, s.isReady)

	s.set("web", 1) // nobody listens to that one any more
	next.fill("web", 2)
	s.serves(t, "the new source", "web", 0, 2, 0, 0, 0)
	s.Reload("signal")
	becomes(t, "reloads", 3, func() int { return len(s.ha.causes()) })
	s.cancel()
	awaited(t, "Run returns", s.over)
	same(t, "reloads", []string{"start", "configuration", "signal"}, s.ha.causes())
}

func TestLaterLayoutTakesThePlaceOfAStagedOne(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	layoutOf := s.layouts()
	s.set("web", 1)
	s.serve(t)
	first := s.Stage(layoutOf(backendOf("first", 2)))
	second := s.Stage(layoutOf(backendOf("second", 2)))
	first.fill("first", 1)
	second.fill("second", 2)
	awaited(t, "the second counts", second.In())
	s.serves(t, "the second", "second", 2, 0)
	select {
	case <-first.In():
		t.Error("the first counts")
	default:
	}
	third := s.Stage(layoutOf()) // no group is a valid state
	awaited(t, "the third counts", third.In())
	becomes(t, "groups", nil, s.shown)
}

func TestLayoutThatCannotBeLoadedIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	layoutOf := s.layouts()
	s.set("web", 1)
	s.serve(t)
	s.ha.meet(func() { s.ha.fail = errors.New("port taken") })
	next := s.Stage(layoutOf(backendOf("new", 2), backendOf("web", 4)))
	next.fill("new", 7)
	next.fill("web", 1, 2)
	becomes(t, "tried again", true, func() bool { return len(s.ha.causes()) > 2 })
	same(t, "groups", []string{"web"}, s.shown())
	same(t, "what is told", "the last reload (configuration) did not succeed: port taken", s.Snapshot().ReloadError)
	same(t, "ready: what ran before serves on", true, s.isReady())
	next.fill("web", 1, 3)
	next.fill("new", 8)
	s.serves(t, "the old layout follows", "web", 1, 3, 0)
	s.ha.meet(func() { s.ha.fail = nil })
	s.serves(t, "the new layout, by what is registered now", "web", 1, 3, 0, 0)
	s.serves(t, "the new layout, by what is registered now", "new", 8, 0)
	becomes(t, "groups", []string{"new", "web"}, s.shown)
	becomes(t, "what is told", "", func() string { return s.Snapshot().ReloadError })
}

func TestLayoutStagedBeforeTheStart(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3)) // of which nothing is heard
	layoutOf := s.layouts()
	s.begin(t)
	next := s.Stage(layoutOf(backendOf("new", 2)))
	next.fill("new", 7)
	awaited(t, "HAProxy serves", s.started)
	s.serves(t, "the new layout", "new", 7, 0)
	becomes(t, "groups", []string{"new"}, s.shown)
	s.cancel()
	awaited(t, "Run returns", s.over)
	same(t, "reloads", []string{"start"}, s.ha.causes())
}

func TestStagedDiscovery(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	layoutOf := s.layouts()
	s.set("web", 1)
	s.serve(t)
	l := layoutOf(backendOf("web", 2))
	l.Discover = func(name string) (Backend, error) {
		if name == "bad" {
			return Backend{}, errors.New("unsafe")
		}
		return backendOf(name, 2), nil
	}
	next := s.Stage(l)
	next.fill("web", 1)
	next.SetGroups(registry.Discovered{Names: []string{"found", "bad"}})
	same(t, "groups", []string{"web"}, s.shown())
	next.fill("found", 5)
	s.serves(t, "a discovered group", "found", 5, 0)

	// Without discovery it goes.
	next = s.Stage(layoutOf(backendOf("web", 2)))
	next.fill("web", 1)
	becomes(t, "groups", []string{"web"}, s.shown)
}

func TestOperatorsStateOutlivesALayout(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	layoutOf := s.layouts()
	s.Sweep = 20 * time.Millisecond
	s.set("web", 1, 2)
	s.serve(t)
	s.ha.worker(0).do("set server web/web2 state drain")
	s.serves(t, "an operator's drain", "web", 1, 0)
	next := s.Stage(layoutOf(backendOf("web", 8)))
	next.fill("web", 1, 2)
	s.serves(t, "it is kept", "web", 1, 0, 0, 0, 0, 0, 0, 0)
}

func TestInherit(t *testing.T) {
	t.Parallel()
	addr := func(n byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 80)
	}
	old := NewTable(6, false)
	old.Assign(instances(1, 2, 3, 4, 5, 6))
	old.Slots[5].Operator = Drain
	for _, tt := range []struct {
		size int
		want map[int]netip.AddrPort
	}{
		{8, map[int]netip.AddrPort{1: addr(2), 4: addr(5), 5: addr(6)}},
		{3, map[int]netip.AddrPort{0: addr(5), 1: addr(2), 2: addr(6)}},
		{1, map[int]netip.AddrPort{0: addr(2), 1: addr(5), 2: addr(6)}},
	} {
		now := NewTable(tt.size, false)
		now.inherit(old, instances(2, 5, 6, 7))
		got := make(map[int]netip.AddrPort)
		for i, s := range now.Slots {
			if !s.Used {
				continue
			}
			got[i] = s.Addr
			if (s.Operator == Drain) != (s.Addr == addr(6)) {
				t.Errorf("%d slots: slot %d: %q", tt.size, i, s.Operator)
			}
		}
		if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("%d slots: -want +got\n%s", tt.size, diff)
		}
		if unplaced := now.Assign(instances(2, 5, 6)); unplaced != 0 || now.Used() != 3 {
			t.Errorf("%d slots: it does not know where they are", tt.size)
		}
	}
}

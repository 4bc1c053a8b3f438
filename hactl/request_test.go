package hactl

import (
	"errors"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// layouts returns a function that changes the backends of the story's layout. Call it
// before the story begins.
func (s *story) layouts() func(...haproxy.Backend) Layout {
	l := Layout{Template: s.options.Template, Frame: s.options.Frame}
	return func(backends ...haproxy.Backend) Layout {
		l.Backends = backends
		return l
	}
}

// shown returns the groups in the snapshot.
func (s *story) shown() (names []string) {
	for _, g := range s.Snapshot().Groups {
		names = append(names, g.Name)
	}
	return names
}

func (s *Source) fill(group string, last ...int) {
	s.SetGroup(registry.Group{Name: group, Instances: instances(last...)})
}

func TestRequestedReloadsAreMerged(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Reload("signal") // satisfied by the start
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

func TestRequestedReloadIsNotMergedIntoOneForSlots(t *testing.T) {
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

func TestStagedLayoutWaitsForAllGroups(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3), backendOf("old", 2))
	layoutOf := s.layouts()
	s.set("web", 1, 2)
	s.set("old", 9)
	s.serve(t)

	next := s.Stage(layoutOf(backendOf("new", 2), backendOf("web", 5)))
	next.fill("web", 2, 3)
	s.set("web", 1, 2, 4) // the old layout serves until then
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

	s.set("web", 1) // this source no longer counts
	next.fill("web", 2)
	s.serves(t, "the new source", "web", 0, 2, 0, 0, 0)
	s.Reload("signal")
	becomes(t, "reloads", 3, func() int { return len(s.ha.causes()) })
	s.cancel()
	awaited(t, "Run returns", s.over)
	same(t, "reloads", []string{"start", "configuration", "signal"}, s.ha.causes())
}

func TestLaterLayoutReplacesStagedOne(t *testing.T) {
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
	third := s.Stage(layoutOf()) // no groups is a valid state
	awaited(t, "the third counts", third.In())
	becomes(t, "groups", nil, s.shown)
}

func TestFailedLayoutIsRetried(t *testing.T) {
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
	same(t, "reload error", "the last reload (configuration) did not succeed: port taken", s.Snapshot().ReloadError)
	same(t, "ready: the previous generation still serves", true, s.isReady())
	next.fill("web", 1, 3)
	next.fill("new", 8)
	s.serves(t, "the old layout follows", "web", 1, 3, 0)
	s.ha.meet(func() { s.ha.fail = nil })
	s.serves(t, "new layout, latest registrations", "web", 1, 3, 0, 0)
	s.serves(t, "new layout, latest registrations", "new", 8, 0)
	becomes(t, "groups", []string{"new", "web"}, s.shown)
	becomes(t, "reload error", "", func() string { return s.Snapshot().ReloadError })
}

func TestLayoutStagedBeforeTheStart(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3)) // never read
	layoutOf := s.layouts()
	s.begin(t)
	next := s.Stage(layoutOf(backendOf("new", 2)))
	next.fill("new", 7)
	awaited(t, "HAProxy is serving", s.started)
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
	l.Discover = func(name string) (haproxy.Backend, error) {
		if name == "bad" {
			return haproxy.Backend{}, errors.New("unsafe")
		}
		return backendOf(name, 2), nil
	}
	next := s.Stage(l)
	next.fill("web", 1)
	next.SetGroups(registry.Discovered{Names: []string{"found", "bad"}})
	same(t, "groups", []string{"web"}, s.shown())
	next.fill("found", 5)
	s.serves(t, "a discovered group", "found", 5, 0)

	// It is dropped in a layout without discovery.
	next = s.Stage(layoutOf(backendOf("web", 2)))
	next.fill("web", 1)
	becomes(t, "groups", []string{"web"}, s.shown)
}

func TestOperatorStateSurvivesNewLayout(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	layoutOf := s.layouts()
	s.with(func(o *Options) { o.Resync = 20 * time.Millisecond })
	s.set("web", 1, 2)
	s.serve(t)
	s.ha.worker(0).do("set server web/web2 state drain")
	s.serves(t, "an operator's drain", "web", 1, 0)
	next := s.Stage(layoutOf(backendOf("web", 8)))
	next.fill("web", 1, 2)
	s.serves(t, "it is kept", "web", 1, 0, 0, 0, 0, 0, 0, 0)
}

// leavesDuringLayout serves a group of three, of which 2 leaves during the start of a
// new layout with five slots, which lasts until unblock is called.
func leavesDuringLayout(t *testing.T) (s *story, layoutOf func(...haproxy.Backend) Layout, unblock func()) {
	t.Helper()
	s = newStory(t, backendOf("web", 3))
	layoutOf = s.layouts()
	s.set("web", 1, 2, 3)
	s.serve(t)
	unblock = s.ha.holdReload()
	next := s.Stage(layoutOf(backendOf("web", 5)))
	next.fill("web", 1, 2, 3)
	becomes(t, "reloads", []string{"start", "configuration"}, s.ha.causes)
	next.fill("web", 1, 3)
	return s, layoutOf, unblock
}

func TestInstanceLeavingDuringLayoutStartLeavesServingGeneration(t *testing.T) {
	t.Parallel()
	s, _, release := leavesDuringLayout(t)
	s.serves(t, "2 leaves", "web", 1, 0, 3)
	release()
	s.serves(t, "the new layout", "web", 1, 0, 3, 0, 0)
	s.cancel()
	awaited(t, "Run returns", s.over)
}

func TestLayoutStagedDuringLayoutStartIsNotLost(t *testing.T) {
	t.Parallel()
	s, layoutOf, release := leavesDuringLayout(t)
	s.serves(t, "2 leaves", "web", 1, 0, 3)
	last := s.Stage(layoutOf(backendOf("web", 4), backendOf("api", 1)))
	last.fill("web", 1, 3)
	last.fill("api", 7)
	release()
	becomes(t, "groups", []string{"web", "api"}, s.shown)
	s.serves(t, "the last layout", "web", 1, 0, 3, 0)
	s.cancel()
	awaited(t, "Run returns", s.over)
}

package hactl

import (
	"errors"
	"testing"
)

// now registers instances of web, and lets what follows from it happen.
func (s *story) now(t *testing.T, last ...int) {
	t.Helper()
	s.set("web", last...)
	s.takeIn(t)
}

func (s *story) takeIn(t *testing.T) {
	t.Helper()
	s.absorb(t.Context())
	s.assign(t.Context())
	s.apply(t.Context())
}

// up lets the health checks of all workers find servers of web alive.
func (s *story) up(t *testing.T, servers ...string) {
	t.Helper()
	for i := range 2 {
		for _, server := range servers {
			s.ha.worker(i).do("set server web/" + server + " health up")
		}
	}
	s.sweep(t.Context())
}

// Green that has no servers yet takes no requests, whatever a reload wanted to give it.
func TestBlueServesWhileNoReloadSucceeds(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.launch(t)
	s.ha.meet(func() { s.ha.fail = errors.New("no space left on device") })
	s.now(t, 4, 5, 6)
	for range 2 {
		same(t, "held", []int{1, 2, 3}, s.held())
		same(t, "serving", []int{1, 2, 3}, s.ha.serving("web")[1])
		if err := s.reload(t.Context(), "slots"); err == nil {
			t.Fatal("the reload succeeded")
		}
		s.holdAt = s.reloaded // it is time to ask
		s.takeIn(t)
	}
	s.ha.meet(func() { s.ha.fail = nil })
	if err := s.reload(t.Context(), "slots"); err != nil {
		t.Fatal(err)
	}
	s.takeIn(t)
	same(t, "held", nil, s.held())
	same(t, "serving", []int{0, 0, 0, 4, 5, 6}, s.ha.serving("web")[1])
}

// Green came long ago, and no health check has found it up yet when blue leaves.
func TestBlueServesUntilGreenIsUp(t *testing.T) {
	t.Parallel()
	b := backendOf("web", 6)
	b.WaitCheck = true
	s := newStory(t, b)
	s.set("web", 1, 2, 3)
	s.launch(t)
	s.up(t, "web1", "web2", "web3")
	s.now(t, 1, 2, 3, 4, 5)
	s.groups[0].guard.came = nil // as after some seconds
	s.now(t, 4, 5)
	same(t, "held", []int{1, 2, 3}, s.held())
	s.up(t, "web5")
	s.takeIn(t)
	same(t, "held", nil, s.held())
}

// Who is still registered in another group enters half a second later.
func TestBlueServesWhileGreenMayBeElsewhere(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 6), backendOf("api", 3))
	s.set("web", 1, 2, 3)
	s.set("api", 7, 8, 9)
	s.launch(t)
	s.now(t, 7, 8, 9)
	same(t, "held", []int{1, 2, 3}, s.held())
	s.set("api")
	s.takeIn(t)
	same(t, "held", nil, s.held())
	same(t, "who is meant", []int{7, 8, 9}, lastOf(s.groups[0].meant))
}

// One that is new and then left is nobody's heir, and one that was there before is none.
func TestHoldEndsWithOneWhoIsNew(t *testing.T) {
	t.Parallel()
	b := backendOf("web", 6)
	b.WaitCheck = true
	s := newStory(t, b)
	s.set("web", 1, 2, 3)
	s.launch(t)
	s.up(t, "web1", "web2", "web3")
	s.now(t)
	same(t, "held", []int{1, 2, 3}, s.held())
	s.now(t, 4)
	s.now(t, 1)
	same(t, "held", []int{2, 3}, s.held())
	s.now(t, 1, 4)
	same(t, "held", []int{2, 3}, s.held())
	s.up(t, "web4")
	s.takeIn(t)
	same(t, "held", nil, s.held())
	same(t, "registered", 2, len(s.Snapshot().Groups[0].Instances))
}

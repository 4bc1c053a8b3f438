package hactl

import (
	"errors"
	"testing"
	"time"
)

// now registers instances of web, and applies that.
func (s *story) now(t *testing.T, last ...int) {
	t.Helper()
	s.set("web", last...)
	s.takeIn(t)
}

func (s *story) takeIn(t *testing.T) {
	t.Helper()
	s.absorb(t.Context())
	s.assign(t.Context())
	s.apply(t.Context(), s.desired.groups)
}

// up makes the health checks of all workers find servers of web up.
func (s *story) up(t *testing.T, servers ...string) {
	t.Helper()
	for i := range 2 {
		for _, server := range servers {
			s.ha.worker(i).do("set server web/" + server + " health up")
		}
	}
	s.resync(t.Context())
}

// Without servers, green takes no requests, even if a reload would add them.
func TestBlueIsHeldWhileReloadsFail(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.launch(t)
	s.ha.meet(func() { s.ha.fail = errors.New("no space left on device") })
	s.now(t, 4, 5, 6)
	for range 2 {
		same(t, "held", []int{1, 2, 3}, s.held())
		same(t, "serving", []int{1, 2, 3}, s.ha.serving("web")[1])
		if err := s.replaceGeneration(t.Context(), "slots"); err == nil {
			t.Fatal("the reload succeeded")
		}
		s.passes(holdEvery) // the health is due
		s.takeIn(t)
	}
	s.ha.meet(func() { s.ha.fail = nil })
	if err := s.replaceGeneration(t.Context(), "slots"); err != nil {
		t.Fatal(err)
	}
	s.takeIn(t)
	same(t, "held", nil, s.held())
	same(t, "serving", []int{0, 0, 0, 4, 5, 6}, s.ha.serving("web")[1])
}

// Green registered long ago, and no health check has found it up when blue leaves.
func TestBlueIsHeldUntilGreenIsUp(t *testing.T) {
	t.Parallel()
	b := backendOf("web", 6)
	b.WaitCheck = true
	s := newStory(t, b)
	s.set("web", 1, 2, 3)
	s.launch(t)
	s.up(t, "web1", "web2", "web3")
	s.now(t, 1, 2, 3, 4, 5)
	s.passes(3 * time.Second)
	s.now(t, 4, 5)
	same(t, "held", []int{1, 2, 3}, s.held())
	s.up(t, "web5")
	s.takeIn(t)
	same(t, "held", nil, s.held())
}

// An instance still registered in another group enters half a second later.
func TestBlueIsHeldWhileGreenIsRegisteredElsewhere(t *testing.T) {
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
	same(t, "meant", []int{7, 8, 9}, lastOf(s.members(0).Meant()))
}

// An instance that is new and then leaves does not replace anything, nor does one that
// was there before.
func TestHoldEndsWithANewInstance(t *testing.T) {
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

// A damped instance replaces no other, even if it is the first to return after all have
// left.
func TestFlappingInstanceEndsNoHold(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 8))
	s.set("web", 1, 2, 3, 4, 5)
	s.launch(t)
	for range 3 {
		s.now(t, 1, 2, 3, 4)
		s.now(t, 1, 2, 3, 4, 5)
	}
	same(t, "serving while the fifth waits", 4, len(s.members(0).Meant()))
	for i := range 2 {
		s.ha.worker(i).do("set server web/web1 state maint")
	}
	s.resync(t.Context()) // an operator's override
	s.now(t)
	same(t, "held", []int{2, 3, 4}, s.held())
	s.now(t, 1, 5)
	same(t, "held while returned instances take no requests", []int{2, 3, 4}, s.held())
}

package hactl

import (
	"sync/atomic"
	"testing"
)

// Whoever waits for a change is told once it can be seen, and not of anything else.
func TestChangesOfSnapshotAreAnnounced(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	var announced atomic.Int32
	s.with(func(o *Options) { o.Published = func() { announced.Add(1) } })
	s.set("web", 1)
	s.launch(t)
	before := s.Snapshot()
	announced.Store(0)
	s.publish()
	if n := announced.Load(); n != 0 || s.Snapshot() != before {
		t.Errorf("announced %d times without a change", n)
	}
	s.set("web", 1, 2)
	s.absorb(t.Context())
	s.publish()
	if n := announced.Load(); n != 1 || s.Snapshot() == before {
		t.Errorf("a change was announced %d times", n)
	}
}

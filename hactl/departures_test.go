package hactl

import (
	"errors"
	"testing"
	"time"
)

// reloading starts a reload that lasts until unblock is called.
func (s *story) reloading(tb testing.TB) (unblock func()) {
	tb.Helper()
	unblock = s.ha.holdReload()
	s.Reload("signal")
	becomes(tb, "reloads", []string{"start", "signal"}, s.ha.causes)
	return unblock
}

func TestInstanceLeavingDuringReloadLeavesServingGeneration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what    string
		failure error
	}{
		{"the reload succeeds", nil},
		{"the reload fails", errors.New("no")},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, backendOf("web", 4), backendOf("api", 2))
			s.set("web", 1, 2, 3)
			s.set("api", 9)
			s.serve(t)
			release := s.reloading(t)
			s.set("web", 1, 3, 4)
			s.serves(t, "2 leaves, 4 waits for the reload", "web", 1, 0, 3, 0)
			s.set("web", 1, 4)
			s.serves(t, "3 leaves too", "web", 1, 0, 0, 0)
			s.ha.meet(func() { s.ha.fail, s.ha.failAt = tt.failure, 1 })
			release()
			becomes(t, "instances after the reload", [][]int{{1, 0, 0, 4}, {1, 0, 0, 4}}, func() [][]int { return s.ha.serving("web") })
			s.serves(t, "the other group", "api", 9, 0)
		})
	}
}

// During a reload the old and the new worker share a socket: either may receive the
// command.
func TestInstanceReturningDuringReloadServes(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.serve(t)
	release := s.reloading(t)
	s.set("web", 1, 2)
	s.serves(t, "3 leaves", "web", 1, 2, 0)
	s.ha.meet(func() { s.ha.unread = leaves("web/web3") }) // commands that reached the new worker
	s.set("web", 1, 2, 3)
	release()
	s.serves(t, "3 is back", "web", 1, 2, 3)
	s.endsWith(t, "start", "signal")
}

func TestDepartureDuringReloadWaitsForLossGuard(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what          string
		before, after []int
		share         int
	}{
		{"the whole group", []int{1, 2, 3}, nil, 0},
		{"the only instance", []int{1}, nil, 0},
		{"the only instance, for another one", []int{1}, []int{2}, 0},
		{"as many as the loss guard allows", []int{1, 2, 3, 4}, []int{3, 4}, 50},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			guarded := backendOf("web", 4)
			guarded.LossGuard = tt.share
			s := newStory(t, guarded, backendOf("api", 3))
			s.set("web", tt.before...)
			s.set("api", 7, 8)
			s.serve(t)
			before := s.ha.serving("web")
			release := s.reloading(t)
			s.set("web", tt.after...)
			s.set("api", 7)
			s.serves(t, "another group's instance leaves", "api", 7, 0, 0)
			same(t, "servers during the reload", before, s.ha.serving("web"))
			release()
			s.endsWith(t, "start", "signal")
		})
	}
}

// A recent change by an operator has not been read when the reload begins.
func TestDepartureDuringReloadKeepsLastServingInstance(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3), backendOf("api", 3))
	s.set("web", 1, 2, 3)
	s.set("api", 7, 8)
	s.serve(t)
	release := s.reloading(t)
	for i := range s.ha.sockets {
		s.ha.worker(i).do("set server web/web2 state drain")
	}
	s.set("web", 2)
	s.set("api", 7)
	s.serves(t, "another group's instance leaves", "api", 7, 0, 0)
	same(t, "servers during the reload", [][]int{{1, 0, 3}, {1, 0, 3}}, s.ha.serving("web"))
	release()
	s.endsWith(t, "start", "signal")
}

func TestInstanceLeavingDuringReloadKeepsStickySessions(t *testing.T) {
	t.Parallel()
	sticky := backendOf("web", 2)
	sticky.DrainTimeout = time.Hour
	s := newStory(t, sticky)
	s.set("web", 1, 2)
	s.serve(t)
	release := s.reloading(t)
	s.set("web", 1)
	becomes(t, "server of the instance that left", "10.0.0.2:80 drain", func() string { return s.ha.worker(0).show("web/web2") })
	release()
	becomes(t, "launches", 200, func() int { return s.ha.worker(0).pid })
	becomes(t, "server after the reload", "10.0.0.2:80 drain", func() string { return s.ha.worker(0).show("web/web2") })
	s.endsWith(t, "start", "signal")
}

func TestNewWorkerDropsDepartedInstanceBeforeReloadEnds(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.serve(t)
	release := s.reloading(t)
	s.set("web", 1, 3)
	s.serves(t, "2 leaves the old workers", "web", 1, 0, 3)
	for i, socket := range s.ha.sockets {
		next := newFakeWorker(900+i, s.ha.lastConfig())
		same(t, "servers that the new worker was rendered with", []int{1, 2, 3}, next.serving("web"))
		socket.lend(next, 1)
		becomes(t, "servers of the new worker", []int{1, 0, 3}, func() []int { return next.serving("web") })
	}
	release()
	s.serves(t, "after the reload", "web", 1, 0, 3)
	s.endsWith(t, "start", "signal")
}

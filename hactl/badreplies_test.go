package hactl

import (
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// groupCommands are parts of the commands that add and remove the group b.
func groupCommands() []string {
	return []string{
		"add backend b", "add server b", "enable health b", "set server b/10.0.0.2:80 state ready", "publish backend b", "set map", "add map",
		"del map", "unpublish backend b", "state maint", "del server b", "del backend b", "wait",
	}
}

// However another version of HAProxy words its replies, groups come and go: by reloads where
// what was done is not clear.
func TestRepliesOfUnknownVersion(t *testing.T) {
	t.Parallel()
	for _, part := range groupCommands() {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			s := live(t, "a")
			s.launch(t)
			for i := range 2 {
				s.ha.worker(i).wordsOddly(part)
			}
			s.listed("a", "b")
			s.settles(t, 2*time.Minute)
			s.routesTo(t, "a", "b")
			same(t, "in service", []int{2}, s.inService("b"))
			same(t, "in the file", []int{2}, s.inFile("b"))
			s.listed("a")
			s.settles(t, 30*time.Minute)
			s.routesTo(t, "a")
			same(t, "the other group", []int{1}, s.inService("a"))
			for i := range 2 {
				same(t, "it is there", false, s.ha.worker(i).knows("b"))
			}
			if n := len(s.ha.causes()); n > 6 {
				t.Errorf("%d launches: %q", n, s.ha.causes())
			}
		})
	}
}

// A worker that dies between the commands of one group is replaced by one that has the
// group; the other worker serves on.
func TestWorkerDiesBetweenTheCommandsOfGroup(t *testing.T) {
	t.Parallel()
	for _, part := range groupCommands()[:7] {
		if part == "set map" {
			continue // of the same write as the one before
		}
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			s := live(t, "a")
			s.serve(t)
			w, pid := s.ha.worker(1), s.ha.worker(1).pid
			w.mu.Lock()
			w.fatal, w.dies = part, func() { s.ha.died <- pid }
			w.mu.Unlock()
			s.listed("a", "b")
			becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
			for i := range 2 {
				becomes(t, "routed", []string{"a", "b"}, func() []string { return s.ha.worker(i).routes(routesFile) })
			}
			becomes(t, "in service", []int{2}, func() []int { return s.inService("b") })
			same(t, "the other group", []int{1}, s.inService("a"))
			s.endsWith(t, "start", "worker died")
		})
	}
}

// wordsOddly gives requests that contain part an unexpected reply, although they are
// executed.
func (w *fakeWorker) wordsOddly(part string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.odd = part
}

// A server that was deleted with an unknown reply is found missing, and that is logged once.
func TestDeletionWithUnknownReplyIsReadBack(t *testing.T) {
	t.Parallel()
	s := carried(t, haproxy.CarryServers)
	log := s.journal()
	s.set("web", 1, 2)
	s.set("api", 9)
	s.launch(t)
	for i := range 2 {
		s.ha.worker(i).wordsOddly("del server")
	}
	s.set("web", 1)
	s.settles(t, 5*time.Minute)
	for i := range 2 {
		same(t, "servers", []string{"10.0.0.1:80"}, s.ha.worker(i).has("web"))
	}
	if s.table(0).Draining() != nil {
		t.Error("its slot is not forgotten")
	}
	same(t, "reloads", []string{"start"}, s.ha.causes())
	if n := len(log.lines("did not confirm the deletion")); n != 1 {
		t.Errorf("%d log lines", n)
	}
}

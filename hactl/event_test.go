package hactl

import (
	"errors"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// reports has the events of a story, one line each.
type reports struct {
	mu    sync.Mutex
	lines []string
}

func (r *reports) add(e registry.Event) {
	line := string(e.Kind)
	for _, part := range []string{e.Group, e.Instance.String(), e.Reason, e.Detail} {
		if part != "" && part != (registry.Instance{}).String() {
			line += ", " + part
		}
	}
	line = regexp.MustCompile(`workers .*|after .*|until .*`).ReplaceAllString(line, "…")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

// has waits until the events include these, in any order, and nothing else since the
// last call.
func (r *reports) has(tb testing.TB, want ...string) {
	tb.Helper()
	slices.Sort(want)
	becomes(tb, "events", want, func() []string {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.Sorted(slices.Values(r.lines))
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = nil
}

// reported captures the story's events.
func (s *story) reported() *reports {
	r := &reports{}
	s.with(func(o *Options) { o.Report, o.Resync = r.add, 10*time.Millisecond })
	return r
}

func TestLifeOfInstanceIsReported(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4))
	r := s.reported()
	s.set("web", 1, 2)
	s.serve(t)
	r.has(t, "reload, start, …", "serving, start, 2 instances put into service")
	s.set("web", 1, 2, 3)
	r.has(t, "registered, web, 10.0.0.3:80", "serving, web, 10.0.0.3:80, registered")
	s.ha.worker(0).do("set server web/web2 health down")
	looks := s.ha.worker(1).asked("show servers state")
	becomes(t, "read again", true, func() bool { return s.ha.worker(1).asked("show servers state") > looks+2 })
	r.has(t) // it is up in the other worker
	s.ha.worker(1).do("set server web/web2 health down")
	r.has(t, "down, web, 10.0.0.2:80, health check")
	s.ha.worker(0).do("set server web/web2 health up")
	r.has(t, "up, web, 10.0.0.2:80, health check")
	s.ha.worker(1).do("set server web/web1 state drain")
	r.has(t, "operator, web, 10.0.0.1:80, operator, drain", "draining, web, 10.0.0.1:80, operator")
	s.ha.worker(0).do("set server web/web1 state ready")
	r.has(t, "operator, web, 10.0.0.1:80, operator, ready", "serving, web, 10.0.0.1:80, operator")
	s.ha.worker(0).do("set server web/web1 weight 0%")
	r.has(t, "operator, web, 10.0.0.1:80, operator, weight 0%")
	s.set("web", 1, 2)
	r.has(t, "deregistered, web, 10.0.0.3:80", "removed, web, 10.0.0.3:80, deregistered")
	s.end(t)
	r.has(t)
}

func TestHeldGroupAndOutageAreReported(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	r := s.reported()
	s.set("web", 1, 2, 3)
	s.serve(t)
	r.has(t, "reload, start, …", "serving, start, 3 instances put into service")
	s.set("web")
	r.has(t, "deregistered, web, 10.0.0.1:80", "deregistered, web, 10.0.0.2:80", "deregistered, web, 10.0.0.3:80",
		"held, web, too many deregistered at once, 3 held, 0 registered")
	if _, err := s.Release("web"); err != nil {
		t.Fatal(err)
	}
	r.has(t, "released, web, an operator releases them", "outage, web, no instance registered",
		"removed, web, 10.0.0.1:80, deregistered", "removed, web, 10.0.0.2:80, deregistered", "removed, web, 10.0.0.3:80, deregistered")
	s.set("web", 1)
	r.has(t, "registered, web, 10.0.0.1:80", "serving, web, 10.0.0.1:80, registered", "outage_over, web, 1 up …")
	s.end(t)
}

func TestFailingReloadIsReportedOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 1))
	r := s.reported()
	s.set("web", 1)
	s.serve(t)
	r.has(t, "reload, start, …", "serving, start, 1 instances put into service")
	s.ha.meet(func() { s.ha.fail = errors.New("no memory") })
	s.set("web", 1, 2)
	becomes(t, "it is retried", true, func() bool { return len(s.ha.causes()) > 3 })
	s.ha.meet(func() { s.ha.fail = nil })
	r.has(t, "registered, web, 10.0.0.2:80", "reload_failed, slots, no memory", "reload, slots, …", "serving, web, 10.0.0.2:80, registered")
	s.end(t)
}

// TestTakeoverReportsOnlyWhatChanged starts beside an HAProxy with three instances, of
// which one has left.
func TestTakeoverReportsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	first := newStory(t, backendOf("web", 4))
	first.set("web", 1, 2, 3)
	first.serve(t)
	first.end(t)
	s := newStory(t, backendOf("web", 4))
	s.runs(string(first.ha.launches[0].Config))
	r := s.reported()
	s.set("web", 1, 2)
	s.serve(t)
	r.has(t, "reload, start, …", "removed, web, 10.0.0.3:80, deregistered")
	s.end(t)
}

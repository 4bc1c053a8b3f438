package stats

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// meant is a snapshot whose group web is meant to have these instances.
func meant(instances ...int) *registry.Snapshot {
	g := &registry.Group{Name: "web"}
	for _, n := range instances {
		g.Instances = append(g.Instances, registry.Instance{Addr: instance(n)})
	}
	return &registry.Snapshot{Proxy: "p", Groups: []*registry.Group{{Name: "empty"}, g}}
}

func backend() haproxy.Stats { return haproxy.Stats{Kind: haproxy.OfBackend, Proxy: "web", HTTP: true} }

// shown reads workers into a ledger and describes the instances of the group web.
func (s *story) shown(want *registry.Snapshot, workers ...[]haproxy.Stats) (text []string) {
	s.t.Helper()
	byPID := make(map[int][]haproxy.Stats)
	var answers []answered
	for i := range workers {
		byPID[i+1] = append(workers[i], backend())
		answers = append(answers, answered{i + 1, byPID[i+1]})
	}
	s.reads(byPID)
	r := merge(s.ledger, want, s.now, answers)
	if len(r.Groups) != 1 || r.Groups[0].Name != "web" {
		s.t.Fatalf("groups %+v", r.Groups)
	}
	for _, i := range r.Groups[0].Instances {
		state := "down"
		switch {
		case i.Gone:
			state = "gone"
		case i.Up:
			state = "up"
		}
		text = append(text, fmt.Sprintf("%d %s weight %d, %d running, %d had", i.Addr.Addr().As4()[3], state, i.Weight, i.Sessions, i.Counters[haproxy.TotalSessions]))
	}
	return text
}

func with(s haproxy.Stats, status haproxy.Status, weight, sessions uint64) haproxy.Stats {
	s.Status, s.Weight, s.Sessions = status, weight, sessions
	return s
}

func TestWorkersReadLikeOneProcess(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	got := s.shown(meant(1, 2, 3, 4, 5),
		rows{
			with(server("web1", 1, 5), haproxy.StatusUp, 1, 2),
			with(server("web2", 2, 5), haproxy.StatusUp, 100, 0),
			with(server("web3", 3, 5), haproxy.StatusMaint, 1, 0),
			server("web4", 0, 0),
			with(server("web5", 5, 1), haproxy.StatusUp, 1, 0),
			with(server("web6", 6, 1), haproxy.StatusMaint, 0, 0),
			with(server("web7", 7, 1), haproxy.StatusMaint, 0, 1),
		},
		rows{
			with(server("web1", 1, 6), haproxy.StatusUp, 1, 3),
			with(server("web2", 2, 6), haproxy.StatusDown, 50, 0),
			with(server("web3", 3, 6), haproxy.StatusMaint, 1, 0),
		},
	)
	want := []string{
		"1 up weight 1, 5 running, 11 had",
		"2 down weight 50, 0 running, 11 had", // a worker differs
		"3 down weight 1, 0 running, 11 had",  // an operator's maint
		"5 down weight 1, 0 running, 1 had",   // a worker lacks it
		"7 down weight 0, 1 running, 1 had",   // 6 and 7 have left, a session remains on 7
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestInstancesThatLeftAreShownForAWhile(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.shown(meant(1, 2), rows{server("web1", 1, 5), server("web2", 2, 6)})
	left := with(server("web2", 2, 8), haproxy.StatusMaint, 0, 0)
	want := []string{"1 up weight 1, 0 running, 5 had", "2 gone weight 0, 0 running, 8 had"}
	if diff := cmp.Diff(want, s.shown(meant(1), rows{server("web1", 1, 5), left})); diff != "" {
		t.Errorf("after it has left: -want +got\n%s", diff)
	}
	s.now = s.now.Add(showGone)
	if diff := cmp.Diff(want[:1], s.shown(meant(1), rows{server("web1", 1, 5), left})); diff != "" {
		t.Errorf("later: -want +got\n%s", diff)
	}
	want[1] = "2 up weight 1, 0 running, 9 had"
	if diff := cmp.Diff(want, s.shown(meant(1, 2), rows{server("web1", 1, 5), server("web2", 2, 9)})); diff != "" {
		t.Errorf("after its return: -want +got\n%s", diff)
	}
}

// A worker that has answered few requests counts for less.
func TestResponseTimesAreAveraged(t *testing.T) {
	t.Parallel()
	timed := func(requests uint64, average time.Duration) haproxy.Stats {
		s := server("web1", 1, requests)
		s.ResponseTime = average
		return s
	}
	for name, test := range map[string]struct {
		one, other haproxy.Stats
		want       time.Duration
	}{
		"as many":      {timed(10, 10*time.Millisecond), timed(10, 20*time.Millisecond), 15 * time.Millisecond},
		"few":          {timed(30, 10*time.Millisecond), timed(10, 30*time.Millisecond), 15 * time.Millisecond},
		"full samples": {timed(1<<40, 10*time.Millisecond), timed(2000, 20*time.Millisecond), 15 * time.Millisecond},
		"none yet":     {timed(0, 0), timed(0, 0), 0},
	} {
		r := merge(newLedger(), meant(1), time.Now(), []answered{{1, rows{backend(), test.one}}, {2, rows{backend(), test.other}}})
		if got := r.Groups[0].Instances[0].ResponseTime; got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestNoWorkerAnswers(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.shown(meant(1), rows{server("web1", 1, 5)})
	if r := merge(s.ledger, meant(1), s.now, nil); len(r.Groups)+len(r.Frontends) > 0 {
		t.Errorf("figures of nobody: %+v", r)
	}
}

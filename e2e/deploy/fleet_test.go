package deploy

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	balancers         = 50
	groups, instances = 20, 10
	// spread is the least time within which as many load balancers connect again after an
	// election: none would mean that they do so in step.
	spread = 100 * time.Millisecond
)

func node(group string) string { return "/services/" + group + "/instances" }

// instance returns the name of the n-th instance of a group.
func instance(group, n int) string { return fmt.Sprintf("10.%d.%d.%d:80", group, n/250, 1+n%250) }

// newFleet starts an ensemble, registers the instances, and starts the syncers, which have
// all of them.
func newFleet(t *testing.T) (*syncers, *rig.Registry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*within)
	defer cancel()
	ensemble, err := rig.StartEnsemble(ctx, home(t), 3)
	must(t, err)
	t.Cleanup(func() {
		if err := ensemble.Close(); err != nil {
			t.Error(err)
		}
	})
	applications, err := rig.ConnectRegistry(ctx, ensemble.Addr(), 30*time.Second)
	must(t, err)
	t.Cleanup(applications.Close)
	for g := range groups {
		must(t, applications.Ensure(node(fmt.Sprint("g", g))))
		for n := range instances {
			must(t, applications.Register(node(fmt.Sprint("g", g)), instance(g, n)))
		}
	}
	s := newSyncers(t, ensemble, balancers)
	for g := range groups {
		s.have(fmt.Sprint("g", g), instances)
	}
	return s, applications
}

// Fifty load balancers cost an ensemble of three one connection each, a watch for each
// group and one for their list, and one read each of the group that changes, also after the
// election of another leader.
func TestFiftyLoadBalancersOnOneEnsemble(t *testing.T) {
	t.Parallel()
	s, applications := newFleet(t)
	// Each asks once who owns a node.
	s.answered("exists", balancers*groups*instances)
	watches, connections := s.monitored("zk_watch_count"), s.monitored("zk_num_alive_connections")
	t.Logf("%d load balancers, %d groups: %d watches, %d connections, requests until then %v", balancers, groups, watches, connections, s.requests())
	if want := balancers * (groups + 1); watches != want {
		t.Errorf("%d watches, want %d", watches, want)
	}

	const changes = 20
	before := s.requests()
	var took []time.Duration
	for n := range changes {
		must(t, applications.Register(node("g0"), instance(0, instances+n)))
		took = append(took, s.have("g0", instances+n+1))
	}
	s.answered("exists", balancers*(groups*instances+changes))
	slices.Sort(took)
	asked := s.since(before)
	t.Logf("%d changes: all have one after %s (median), %s (slowest); requests %v", changes, took[len(took)/2], took[len(took)-1], asked)
	if asked["children"] != balancers*changes || asked["exists"] != balancers*changes {
		t.Errorf("%d changes took %v, want %d lists and %d owners", changes, asked, balancers*changes, balancers*changes)
	}

	before = s.requests()
	for n := range changes {
		must(t, applications.Unregister(node("g0"), instance(0, instances+n)))
		s.have("g0", instances+changes-n-1)
	}
	if asked := s.since(before); asked["children"] != balancers*changes || asked["exists"] > 0 {
		t.Errorf("%d instances that left took %v, want %d lists alone", changes, asked, balancers*changes)
	}

	before = s.requests()
	back := s.elect()
	must(t, applications.Register(node("g1"), instance(1, instances)))
	s.have("g1", instances+1)
	asked = s.since(before)
	t.Logf("after an election they are back within %s to %s (median %s); requests %v", back[0], back[len(back)-1], back[len(back)/2], asked)
	if asked["children"] != balancers {
		t.Errorf("an election and one change took %v, want %d lists", asked, balancers)
	}
	if within := back[len(back)-1] - back[0]; within < spread {
		t.Errorf("all connect again within %s", within)
	}
}

// elect kills the leader and returns after how long each of them is connected again,
// sorted.
func (s *syncers) elect() (back []time.Duration) {
	s.t.Helper()
	leader, err := s.ensemble.Leader()
	must(s.t, err)
	began := time.Now()
	must(s.t, leader.Kill())
	eventually(s.t, "all are connected again", func() error {
		back = back[:0]
		for i, w := range s.all {
			at := w.back(began)
			if at.IsZero() {
				return fmt.Errorf("%d is not", i)
			}
			back = append(back, at.Sub(began))
		}
		return nil
	})
	slices.Sort(back)
	return back
}

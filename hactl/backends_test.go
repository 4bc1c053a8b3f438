package hactl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

var v34 = haproxy.Version{Major: 3, Minor: 4, Full: "3.4.0"}

// backendOfDiscovered returns the backend of a discovered group.
func backendOfDiscovered(name string) (haproxy.Backend, error) {
	if name == "bad name" {
		return haproxy.Backend{}, errors.New("a space")
	}
	b := backendOf(name, 2)
	b.Route, b.ACLs = haproxy.RoutePath, haproxy.RoutePath.Conditions(name)
	b.Carry, b.Discovered = haproxy.CarryBackends, true
	return b, nil
}

const routesFile = "/run/live.cfg.path.map"

// live returns a story whose groups come and go at run time, with some of them at the start,
// which have an instance each.
func live(tb testing.TB, groups ...string) *story {
	tb.Helper()
	s := newStory(tb)
	s.with(func(o *Options) {
		kind, _ := backendOfDiscovered(haproxy.AnyGroup)
		o.Frame.Version, o.Frame.ConfFile = v34, "/run/live.cfg"
		o.Frame.Discovered, o.Frame.Routes = &kind, []haproxy.Route{haproxy.RoutePath}
		o.Discover = backendOfDiscovered
	})
	s.listed(groups...)
	return s
}

// listed lists groups, each with an instance that is numbered after its place.
func (s *story) listed(groups ...string) {
	s.SetGroups(registry.Discovered{Names: groups})
	for i, name := range groups {
		s.set(name, i+1)
	}
}

func (s *story) routesTo(tb testing.TB, groups ...string) {
	tb.Helper()
	for i := range 2 {
		same(tb, "routed to", groups, s.ha.worker(i).routes(routesFile))
	}
}

func TestGroupComesAndGoesWithoutReload(t *testing.T) {
	t.Parallel()
	s := live(t, "a")
	s.launch(t)
	s.routesTo(t, "a")
	s.listed("a", "b")
	s.step(t.Context())
	s.routesTo(t, "a", "b")
	same(t, "in service", []int{2}, s.inService("b"))
	for i := range 2 {
		changes := s.ha.worker(i).changes()
		same(t, "in this order", []string{
			"add backend b from haproxy-zk.group",
			"add server b/10.0.0.2:80 10.0.0.2:80 fastinter 500 observe layer4 error-limit 3 on-error fastinter check downinter 500 guid b:10.0.0.2:80",
			"publish backend b", "add map " + routesFile + " /b/ b",
		}, []string{changes[0][0], changes[1][0], changes[2][0], changes[3][0]})
	}
	same(t, "carried by", []registry.Carried{{By: "backends"}, {By: "backends"}}, s.Snapshot().Carried)

	s.listed("a")
	s.settles(t, 50*time.Second)
	s.routesTo(t, "a", "b")
	s.settles(t, 15*time.Second)
	s.routesTo(t, "a")
	same(t, "groups", 1, len(s.Snapshot().Groups))
	s.ha.worker(1).uses("b", 1)
	s.settles(t, 45*time.Second)
	if s.ha.worker(0).knows("b") || !s.ha.worker(1).knows("b") {
		t.Errorf("deleted although it is used, or not where it is not: %v %v", s.ha.worker(0).knows("b"), s.ha.worker(1).knows("b"))
	}
	s.ha.worker(1).uses("b", 0)
	s.settles(t, 45*time.Second)
	same(t, "deleted", false, s.ha.worker(1).knows("b"))
	same(t, "forgotten", []string{"a"}, s.names())
	s.listed("a", "b")
	s.step(t.Context())
	s.routesTo(t, "a", "b")
	same(t, "reloads", []string{"start"}, s.ha.causes())
}

// Its deletion is not finished when a group is created again.
func TestGroupReturnsWhileItIsDeleted(t *testing.T) {
	t.Parallel()
	s := live(t, "a", "b")
	s.launch(t)
	s.listed("a")
	s.settles(t, 65*time.Second)
	s.routesTo(t, "a")
	s.listed("a", "b")
	s.step(t.Context())
	s.routesTo(t, "a", "b")
	same(t, "in service", []int{2}, s.inService("b"))
	s.settles(t, 5*time.Minute)
	s.routesTo(t, "a", "b")
	same(t, "reloads", []string{"start"}, s.ha.causes())
}

// Otherwise everything else that may be due is looked at for every few of them.
func TestBackendsOfManyGroupsAreDeletedInFewWrites(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("g%d", i))
	}
	s := live(t, names...)
	s.launch(t)
	s.listed("g0")
	s.settles(t, 10*time.Minute)
	s.routesTo(t, "g0")
	same(t, "groups", []string{"g0"}, s.names())
	writes := 0
	for _, requests := range s.ha.worker(0).changes() {
		if slices.ContainsFunc(requests, func(r string) bool { return strings.HasPrefix(r, "del backend ") }) {
			writes++
		}
	}
	if writes > 20 { // 99 backends, and as many in each as there is time for
		t.Errorf("%d writes", writes)
	}
}

func TestGroupIsAddedOnceItsInstancesWereRead(t *testing.T) {
	t.Parallel()
	s := live(t, "a")
	s.launch(t)
	s.SetGroups(registry.Discovered{Names: []string{"a", "b"}})
	s.step(t.Context())
	s.routesTo(t, "a")
	s.set("b", 7)
	s.step(t.Context())
	s.routesTo(t, "a", "b")
}

func TestRefusedBackendIsAddedByReload(t *testing.T) {
	t.Parallel()
	s := live(t)
	log := s.journal()
	s.listed("a")
	s.launch(t)
	s.ha.worker(1).refuse("add backend", 100)
	s.listed("a", "b")
	s.settles(t, 10*time.Second)
	s.routesTo(t, "a", "b")
	same(t, "in service", []int{2}, s.inService("b"))
	same(t, "reloads", []string{"start", "groups"}, s.ha.causes())
	same(t, "carried by", registry.Carried{By: "servers", Reason: `HAProxy refused to add or delete the backend: "Permission denied"`}, s.Snapshot().Carried[1])
	if n := len(log.lines("refused to add or delete a backend")); n != 1 {
		t.Errorf("%d log lines: %q", n, log.lines("refused to add or delete a backend"))
	}
	s.ha.worker(1).refuse("", 0)
	s.listed("a", "b", "c")
	s.settles(t, 10*time.Second)
	s.routesTo(t, "a", "b", "c")
	same(t, "others need no reload", []string{"start", "groups"}, s.ha.causes())
	s.Reload("signal")
	s.settles(t, 10*time.Second)
	same(t, "after an operator's reload", registry.Carried{By: "backends"}, s.Snapshot().Carried[1])
}

func TestRefusedCommandsAreRepeated(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"publish backend b", "set map", "add map", "add server b", "state ready", "enable health"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			s := live(t, "a")
			s.launch(t)
			s.ha.worker(1).refuse(part, 1)
			s.listed("a", "b")
			s.settles(t, 5*time.Second)
			s.routesTo(t, "a", "b")
			same(t, "in service", []int{2}, s.inService("b"))
		})
	}
}

func TestBackendChangedBehindOurBackIsRepaired(t *testing.T) {
	t.Parallel()
	s := live(t, "a")
	s.launch(t)
	s.listed("a", "b")
	s.step(t.Context())
	s.passes(2 * time.Minute)
	first, second := s.ha.worker(0), s.ha.worker(1)
	first.do("unpublish backend b", "set server b/10.0.0.2:80 state maint", "del server b/10.0.0.2:80", "del backend b")
	second.do("unpublish backend b", "unpublish backend a")
	s.fleet.resyncAt = s.time()
	s.step(t.Context())
	s.routesTo(t, "a", "b")
	same(t, "in service", []int{2}, s.inService("b"))
	same(t, "reloads", []string{"start"}, s.ha.causes())

	first.do("add backend x from haproxy-zk.group", "publish backend x")
	s.fleet.resyncAt = s.time()
	s.settles(t, 5*time.Second)
	same(t, "a foreign one is gone", false, s.ha.worker(0).knows("x"))
	s.routesTo(t, "a", "b")
	same(t, "reloads", []string{"start", "carry"}, s.ha.causes())
}

// A backend that was deleted is found missing by the next command, too.
func TestCommandFindsBackendMissing(t *testing.T) {
	t.Parallel()
	s := live(t, "a")
	s.launch(t)
	s.ha.worker(0).do("unpublish backend a", "set server a/10.0.0.1:80 state maint", "del server a/10.0.0.1:80", "del backend a")
	s.set("a", 1, 2)
	s.settles(t, time.Second)
	s.routesTo(t, "a")
	same(t, "in service", []int{1, 2}, s.inService("a"))
	same(t, "reloads", []string{"start"}, s.ha.causes())
}

// A daemon finds the groups that the one before has added, and deletes those that are gone.
func TestLiveGroupsAreAdopted(t *testing.T) {
	t.Parallel()
	s := live(t, "a")
	s.launch(t)
	s.listed("a", "b", "c")
	s.step(t.Context())
	s.ha.worker(0).do("set server b/10.0.0.2:80 state drain")
	s.resync(t.Context())
	s.step(t.Context())

	s.ha.shape = s.desired.rendition().shape()
	s.Controller = New(s.options)
	s.listed("a", "b", "d")
	s.serve(t)
	becomes(t, "in service", []int{3}, func() []int { return s.inService("d") })
	s.end(t)
	same(t, "not reloaded", []string{"start"}, s.ha.causes())
	same(t, "an operator's state", "10.0.0.2:80 drain", s.ha.worker(1).show("b/10.0.0.2:80"))
	s.settles(t, 3*time.Minute)
	s.routesTo(t, "a", "b", "d")
	for i := range 2 {
		same(t, "what is gone is deleted", false, s.ha.worker(i).knows("c"))
	}
	same(t, "not reloaded", []string{"start"}, s.ha.causes())
}

func TestDeadWorkerIsReplacedByOneWithTheGroups(t *testing.T) {
	t.Parallel()
	s := live(t, "a")
	s.serve(t)
	s.listed("a", "b")
	becomes(t, "routed", []string{"a", "b"}, func() []string { return s.ha.worker(0).routes(routesFile) })
	s.ha.kill(0)
	becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
	becomes(t, "routed", []string{"a", "b"}, func() []string { return s.ha.worker(0).routes(routesFile) })
	s.endsWith(t, "start", "worker died")
}

func TestShapeLeavesOutLiveGroups(t *testing.T) {
	t.Parallel()
	s := live(t, "a")
	s.absorb(t.Context())
	before, config := s.desired.rendition().shape(), string(s.desired.rendition().config())
	s.listed("a", "b")
	s.absorb(t.Context())
	if s.desired.rendition().shape() != before || string(s.desired.rendition().config()) == config {
		t.Error("another shape, or the same configuration")
	}
}

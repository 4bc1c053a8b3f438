package hactl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// renderedNames returns the names of the groups that HAProxy has.
func (s *story) renderedNames() []string {
	var names []string
	for _, g := range s.desired.groups {
		if s.fleet.workers[len(s.fleet.workers)-1].have[g] != nil {
			names = append(names, g.backend.Name)
		}
	}
	return names
}

// lists sets the discovered groups, with one instance each.
func (s *story) lists(names ...string) {
	s.SetGroups(registry.Discovered{Names: names})
	s.set("web", 1)
	for i, name := range names {
		s.set(name, 10+i)
	}
	s.absorb(context.Background())
}

func (s *story) again(t *testing.T) {
	t.Helper()
	if s.wanted() == "" {
		t.Fatal("no reload is wanted")
	}
	if err := s.replaceGeneration(t.Context(), s.wanted()); err != nil {
		t.Fatal(err)
	}
}

func TestRejectedGroupIsQuarantined(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.lists("a")
	s.launch(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend bad", "backend evil"} })
	s.lists("a", "bad", "c", "d", "evil")
	s.again(t)
	same(t, "all but the bad ones", []string{"web", "a", "c", "d"}, s.renderedNames())
	same(t, "a reload that is wanted", "", s.wanted())
	s.publish()
	same(t, "shown", []string{"web", "a", "c", "d"}, s.shown())
	same(t, "serving", []int{12, 0}, s.ha.serving("c")[1])
	same(t, "refused", 2, s.metric(t, "haproxyzk_groups_refused_total"))

	// Other changes are not blocked by it.
	s.set("c", 5, 6, 7)
	s.absorb(t.Context())
	s.assign(t.Context())
	s.again(t)
	same(t, "serving", []int{0, 5, 6, 7}, s.ha.serving("c")[0])

	// A requested reload retries the group, whether it was fixed or not.
	s.ha.meet(func() { s.ha.refuse = []string{"backend evil"} })
	s.Reload("signal")
	s.takeRequests()
	s.again(t)
	same(t, "one was fixed", []string{"web", "bad", "a", "c", "d"}, s.renderedNames())
	same(t, "the other one is not", "", s.wanted())
	same(t, "serving", []int{11, 0}, s.ha.serving("bad")[0])

	s.lists("a", "bad", "c", "d")
	s.passes(emptyFor)
	s.retire()
	s.again(t)
	same(t, "it was deleted", []string{"web", "bad", "a", "c", "d"}, s.names())
}

func TestStartQuarantinesRejectedGroup(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend a"} })
	s.lists("a", "b", "c")
	s.launch(t)
	same(t, "all but one", []string{"web", "b", "c"}, s.renderedNames())
	same(t, "a reload that is wanted", "", s.wanted())
}

func TestRejectedGroupsAreFoundAmongMany(t *testing.T) {
	t.Parallel()
	var names, bad, good []string
	for i := range 40 {
		name := fmt.Sprintf("g%02d", i)
		names = append(names, name)
		if i == 0 || i%9 == 3 || i == 39 {
			bad = append(bad, "backend "+name)
		} else {
			good = append(good, name)
		}
	}
	for what, at := range map[string]func(*story){
		"start": func(s *story) {
			s.ha.meet(func() { s.ha.refuse = bad })
			s.lists(names...)
			s.launch(t)
		},
		"later": func(s *story) {
			s.lists()
			s.launch(t)
			s.ha.meet(func() { s.ha.refuse = bad })
			s.lists(names...)
			s.again(t)
		},
	} {
		s := discovering(t)
		at(s)
		for s.wanted() != "" {
			s.again(t)
		}
		same(t, what, append([]string{"web"}, good...), s.renderedNames())
		if n := len(s.ha.causes()); n > 60 {
			t.Errorf("%s: HAProxy was started %d times", what, n)
		}
		if !s.isReady() {
			t.Errorf("%s: %v", what, s.Ready())
		}
	}
}

// If others serve it starts without the rejected groups, but is not ready.
func TestStartWithoutAcceptedGroupIsNotReady(t *testing.T) {
	t.Parallel()
	for what, written := range map[string]bool{"one is written out": true, "all are discovered": false} {
		s := discovering(t)
		if !written {
			s.desired.groups = nil
		}
		s.ha.meet(func() { s.ha.refuse = []string{"backend a", "backend b"} })
		s.lists("a", "b")
		err := s.replaceGeneration(t.Context(), "start")
		if errors.Is(err, registry.ErrRefused) == written {
			t.Fatalf("%s: %v", what, err)
		}
		if !written {
			same(t, what, 2, len(s.desired.rendered()))
			continue
		}
		same(t, what, []string{"web"}, s.renderedNames())
		if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "rejects all") {
			t.Errorf("ready: %v", err)
		}
		s.lists("a", "b", "c")
		s.again(t)
		same(t, "one is accepted", []string{"web", "c"}, s.renderedNames())
		same(t, "ready", nil, s.Ready())
	}
}

// A group that is deleted and created again is retried.
func TestRecreatedGroupLeavesQuarantine(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.lists("a")
	s.launch(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend bad"} })
	s.lists("a", "bad")
	s.again(t)
	same(t, "quarantined", []string{"web", "a"}, s.renderedNames())
	s.ha.meet(func() { s.ha.refuse = nil })
	s.lists("a")
	same(t, "a reload that is wanted", "", s.wanted())
	s.lists("a", "bad")
	s.again(t)
	same(t, "it is there", []string{"web", "bad", "a"}, s.renderedNames())
}

// The slots of a quarantined group do not keep those of other groups from being reused.
func TestSlotsAreFreedBesideQuarantinedGroup(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.lists("z")
	s.launch(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend bad"} })
	s.lists("bad", "z")
	s.assign(t.Context())
	s.again(t)
	s.set("bad", 9)
	s.Reload("signal")
	s.absorb(t.Context())
	s.assign(t.Context())
	s.again(t)
	same(t, "quarantined", []string{"web", "z"}, s.renderedNames())
	s.set("z", 7)
	s.takeIn(t)
	same(t, "draining", true, s.fleet.draining(s.desired.groups))
	s.fleet.freeSlots(t.Context(), s.desired.groups)
	same(t, "draining", false, s.fleet.draining(s.desired.groups))
}

// HAProxy names the lines with errors, beside lines with mere warnings.
func TestGroupsInAlertedLinesAreQuarantinedTogether(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	discover := s.options.Discover
	s.with(func(o *Options) {
		o.Discover = func(name string) (haproxy.Backend, error) {
			b, err := discover(name)
			b.ACLs = []string{"path_beg -f /lists/" + name}
			return b, err
		}
	})
	s.ha.meet(func() { s.ha.alertsLines, s.ha.refuse = true, []string{"/lists/bad", "server-template evil"} })
	s.lists("bad", "b", "evil")
	s.launch(t)
	same(t, "starts", 2, len(s.ha.causes()))
	same(t, "all but the bad ones", []string{"web", "b"}, s.renderedNames())
	same(t, "a reload that is wanted", "", s.wanted())
	same(t, "refused", 2, s.metric(t, "haproxyzk_groups_refused_total"))
	s.ha.meet(func() { s.ha.refuse = []string{"/lists/bad", "/lists/c", "server-template evil"} })
	s.lists("bad", "b", "evil", "d", "c")
	s.again(t)
	same(t, "all but the bad ones", []string{"web", "b", "d"}, s.renderedNames())
	same(t, "a reload that is wanted", "", s.wanted())
}

func TestOwnerOf(t *testing.T) {
	config := strings.Split("global\n  maxconn 9\nfrontend public\n  acl web path /web\n  bind :80\n  use_backend web if web\nbackend web\n  balance rr\n\n  acl other path /x\nfrontend web.listener\n  bind *:1", "\n")
	for i, want := range []string{"", "", "", "web", "", "web", "web", "web", "web", "other", "", ""} {
		same(t, config[i], want, ownerOf(config[:i+1]))
	}
}

func TestRejectedConfigurationQuarantinesNoGroup(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend"} })
	s.lists("a", "b")
	if err := s.replaceGeneration(t.Context(), "start"); !errors.Is(err, registry.ErrRefused) {
		t.Errorf("error %v", err)
	}
	same(t, "none left out", []string{"web", "a", "b"}, s.names())
	same(t, "none left out", 3, len(s.desired.rendered()))
	s.ha.meet(func() { s.ha.refuse = nil })
	s.launch(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend"} })
	s.lists("a", "b", "c")
	if err := s.replaceGeneration(t.Context(), s.wanted()); !errors.Is(err, registry.ErrRefused) {
		t.Errorf("error %v", err)
	}
	same(t, "none left out", 4, len(s.desired.rendered()))

	// Groups that were accepted before are not quarantined for a configuration that is
	// wrong now.
	s.ha.meet(func() { s.ha.refuse = nil })
	s.again(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend b"} })
	staged := s.Stage(Layout{Template: s.options.Template, Frame: s.options.Frame, Backends: s.options.Backends, Discover: s.options.Discover})
	staged.SetGroups(registry.Discovered{Names: []string{"a", "b", "c"}})
	for i, name := range []string{"web", "a", "b", "c"} {
		staged.SetGroup(registry.Group{Name: name, Instances: instances(i + 1)})
	}
	s.takeRequests()
	s.convert(t.Context(), s.desired.change, CauseConfiguration)
	same(t, "the change waits", true, s.desired.change != nil)
	same(t, "all serve", []string{"web", "a", "b", "c"}, s.renderedNames())
}

// Whatever the outcome of a bisection, the known state is that of the running
// generation.
func TestReloadFailureDuringBisectionKeepsRunningGeneration(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.lists()
	s.launch(t)
	s.ha.meet(func() {
		s.ha.refuse = []string{"backend g7"}
		s.ha.fail, s.ha.failAt = errors.New("no space left on device"), 3
	})
	s.lists("g0", "g1", "g2", "g3", "g4", "g5", "g6", "g7")
	s.again(t)
	same(t, "the half that was accepted", []string{"web", "g0", "g1", "g2", "g3"}, s.renderedNames())
	for s.wanted() != "" {
		s.again(t)
	}
	same(t, "all but one", []string{"web", "g0", "g1", "g2", "g3", "g4", "g5", "g6"}, s.renderedNames())
}

// Every generation of a bisection has groups that the previous HAProxy serves.
func TestTakeoverKeepsRunningGroupsDuringBisection(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.runs("backend web\n server web1 10.0.0.1:80\nbackend y\n server y1 10.0.0.10:80\nbackend z\n server z1 10.0.0.11:80\n")
	s.lists("y", "z", "longest", "longer", "long")
	s.takeOver(t.Context())
	s.ha.meet(func() { s.ha.refuse = []string{"backend longer"} })
	s.launch(t)
	same(t, "all but one", []string{"web", "longest", "long", "y", "z"}, s.renderedNames())
	for _, launch := range s.ha.launches {
		if config := string(launch.Config); !strings.Contains(config, "backend y\n") || !strings.Contains(config, "backend z\n") {
			t.Error("tried a configuration without the serving groups")
		}
	}
}

// If HAProxy rejects all groups that it had, the configuration is wrong.
func TestTakeoverFailsWhenNoRunningGroupIsAccepted(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.runs("backend web\n server web1 10.0.0.1:80\nbackend y\n server y1 10.0.0.10:80\nbackend z\n server z1 10.0.0.11:80\n")
	s.lists("y", "z", "w")
	s.takeOver(t.Context())
	for _, alertsLines := range []bool{false, true} {
		s.ha.meet(func() { s.ha.refuse, s.ha.alertsLines = []string{"backend y", "backend z"}, alertsLines })
		if err := s.replaceGeneration(t.Context(), "start"); !errors.Is(err, registry.ErrRefused) {
			t.Errorf("error %v", err)
		}
		same(t, "none left out", 4, len(s.desired.rendered()))
	}
}

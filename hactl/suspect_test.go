package hactl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// laidOut are the names of the groups that HAProxy has.
func (s *story) laidOut() []string {
	var names []string
	for _, g := range s.groups {
		if s.workers[len(s.workers)-1].have[g] != nil {
			names = append(names, g.backend.Name)
		}
	}
	return names
}

// lists tells which groups there are, and one instance of each.
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
	if s.reloadCause == "" {
		t.Fatal("no reload is wanted")
	}
	if err := s.reload(t.Context(), s.reloadCause); err != nil {
		t.Fatal(err)
	}
}

func TestGroupThatHAProxyDoesNotAcceptIsLeftOut(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.lists("a")
	s.launch(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend bad", "backend evil"} })
	s.lists("a", "bad", "c", "d", "evil")
	s.again(t)
	same(t, "all but the bad ones", []string{"web", "a", "c", "d"}, s.laidOut())
	same(t, "a reload that is wanted", "", s.reloadCause)
	s.publish()
	same(t, "shown", []string{"web", "a", "c", "d"}, s.shown())
	same(t, "serving", []int{12, 0}, s.ha.serving("c")[1])
	same(t, "refused", 2, s.metric(t, "haproxyzk_groups_refused_total"))

	// What else is to change is not kept from it.
	s.set("c", 5, 6, 7)
	s.absorb(t.Context())
	s.assign(t.Context())
	s.again(t)
	same(t, "serving", []int{0, 5, 6, 7}, s.ha.serving("c")[0])

	// Whoever asks for a reload has mended it, or not.
	s.ha.meet(func() { s.ha.refuse = []string{"backend evil"} })
	s.Reload("signal")
	s.hear()
	s.again(t)
	same(t, "one is mended", []string{"web", "bad", "a", "c", "d"}, s.laidOut())
	same(t, "the other one is not", "", s.reloadCause)
	same(t, "serving", []int{11, 0}, s.ha.serving("bad")[0])

	s.lists("a", "bad", "c", "d")
	s.groups[slices.IndexFunc(s.groups, func(g *group) bool { return g.backend.Name == "evil" })].emptied = time.Now().Add(-emptyFor)
	s.retire()
	s.again(t)
	same(t, "it was deleted", []string{"web", "bad", "a", "c", "d"}, s.names())
}

func TestStartWithAGroupThatHAProxyDoesNotAccept(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend a"} })
	s.lists("a", "b", "c")
	s.launch(t)
	same(t, "all but one", []string{"web", "b", "c"}, s.laidOut())
	same(t, "a reload that is wanted", "", s.reloadCause)
}

func TestManyGroupsOfWhichSomeAreNotAccepted(t *testing.T) {
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
		for s.reloadCause != "" {
			s.again(t)
		}
		same(t, what, append([]string{"web"}, good...), s.laidOut())
		if n := len(s.ha.causes()); n > 60 {
			t.Errorf("%s: HAProxy was started %d times", what, n)
		}
		if !s.isReady() {
			t.Errorf("%s: %v", what, s.Ready())
		}
	}
}

// Where others serve it starts without them, but says that something is wrong.
func TestStartWithNoGroupThatHAProxyAccepts(t *testing.T) {
	t.Parallel()
	for what, written := range map[string]bool{"one is written out": true, "all are discovered": false} {
		s := discovering(t)
		if !written {
			s.groups = nil
		}
		s.ha.meet(func() { s.ha.refuse = []string{"backend a", "backend b"} })
		s.lists("a", "b")
		err := s.reload(t.Context(), "start")
		if errors.Is(err, registry.ErrRefused) == written {
			t.Fatalf("%s: %v", what, err)
		}
		if !written {
			same(t, what, 2, len(s.laid()))
			continue
		}
		same(t, what, []string{"web"}, s.laidOut())
		if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "accepts none of the groups that are discovered") {
			t.Errorf("ready: %v", err)
		}
		s.lists("a", "b", "c")
		s.again(t)
		same(t, "one is accepted", []string{"web", "c"}, s.laidOut())
		same(t, "ready", nil, s.Ready())
	}
}

// One that is deleted and created again is tried again.
func TestGroupThatIsCreatedAnewIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.lists("a")
	s.launch(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend bad"} })
	s.lists("a", "bad")
	s.again(t)
	same(t, "it is left out", []string{"web", "a"}, s.laidOut())
	s.ha.meet(func() { s.ha.refuse = nil })
	s.lists("a")
	same(t, "a reload that is wanted", "", s.reloadCause)
	s.lists("a", "bad")
	s.again(t)
	same(t, "it is there", []string{"web", "bad", "a"}, s.laidOut())
}

// What happens to the slots of one that is left out keeps nobody else's from being
// given to others.
func TestSlotsAreReleasedBesideAGroupThatIsLeftOut(t *testing.T) {
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
	same(t, "it is left out", []string{"web", "z"}, s.laidOut())
	s.set("z", 7)
	s.takeIn(t)
	same(t, "slots whose sessions may run", true, s.draining())
	s.release(t.Context())
	same(t, "slots whose sessions may run", false, s.draining())
}

// HAProxy tells in which lines it finds fault, and of what else it warns.
func TestGroupsThatHAProxyBlamesAreLeftOutAtOnce(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	discover := s.Discover
	s.Discover = func(name string) (Backend, error) {
		b, err := discover(name)
		b.ACLs = []string{"path_beg -f /lists/" + name}
		return b, err
	}
	s.ha.meet(func() { s.ha.tells, s.ha.refuse = true, []string{"/lists/bad", "server-template evil"} })
	s.lists("bad", "b", "evil")
	s.launch(t)
	same(t, "starts", 2, len(s.ha.causes()))
	same(t, "all but the bad ones", []string{"web", "b"}, s.laidOut())
	same(t, "a reload that is wanted", "", s.reloadCause)
	same(t, "refused", 2, s.metric(t, "haproxyzk_groups_refused_total"))
	s.ha.meet(func() { s.ha.refuse = []string{"/lists/bad", "/lists/c", "server-template evil"} })
	s.lists("bad", "b", "evil", "d", "c")
	s.again(t)
	same(t, "all but the bad ones", []string{"web", "b", "d"}, s.laidOut())
	same(t, "a reload that is wanted", "", s.reloadCause)
}

func TestOwnerOf(t *testing.T) {
	config := strings.Split("global\n  maxconn 9\nfrontend public\n  acl web path /web\n  bind :80\n  use_backend web if web\nbackend web\n  balance rr\n\n  acl other path /x\nfrontend web.listener\n  bind *:1", "\n")
	for i, want := range []string{"", "", "", "web", "", "web", "web", "web", "web", "other", "", ""} {
		same(t, config[i], want, ownerOf(config[:i+1]))
	}
}

func TestConfigurationThatHAProxyDoesNotAcceptIsNoGroupsFault(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend"} })
	s.lists("a", "b")
	if err := s.reload(t.Context(), "start"); !errors.Is(err, registry.ErrRefused) {
		t.Errorf("error %v", err)
	}
	same(t, "nobody is left out", []string{"web", "a", "b"}, s.names())
	same(t, "nobody is left out", 3, len(s.laid()))
	s.ha.meet(func() { s.ha.refuse = nil })
	s.launch(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend"} })
	s.lists("a", "b", "c")
	if err := s.reload(t.Context(), s.reloadCause); !errors.Is(err, registry.ErrRefused) {
		t.Errorf("error %v", err)
	}
	same(t, "nobody is left out", 4, len(s.laid()))

	// Those that it had accepted do not go for what is made of them now.
	s.ha.meet(func() { s.ha.refuse = nil })
	s.again(t)
	s.ha.meet(func() { s.ha.refuse = []string{"backend b"} })
	staged := s.Stage(Layout{Template: s.Template, Frame: s.Frame, Backends: s.Backends, Discover: s.Discover})
	staged.SetGroups(registry.Discovered{Names: []string{"a", "b", "c"}})
	for i, name := range []string{"web", "a", "b", "c"} {
		staged.SetGroup(registry.Group{Name: name, Instances: instances(i + 1)})
	}
	s.hear()
	s.convert(t.Context())
	same(t, "the change waits", true, s.change != nil)
	same(t, "all serve", []string{"web", "a", "b", "c"}, s.laidOut())
}

// What runs is what is believed to run, however finding out who is guilty ends.
func TestReloadThatFailsWhileTheGuiltyAreLookedFor(t *testing.T) {
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
	same(t, "the half that was accepted", []string{"web", "g0", "g1", "g2", "g3"}, s.laidOut())
	for s.reloadCause != "" {
		s.again(t)
	}
	same(t, "all but one", []string{"web", "g0", "g1", "g2", "g3", "g4", "g5", "g6"}, s.laidOut())
}

// Groups that the HAProxy before serves are in every generation that takes its place.
func TestTakeoverKeepsWhatServesWhileTheGuiltyAreLookedFor(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.runs("backend web\n server web1 10.0.0.1:80\nbackend y\n server y1 10.0.0.10:80\nbackend z\n server z1 10.0.0.11:80\n")
	s.lists("y", "z", "longest", "longer", "long")
	s.recall(t.Context())
	s.ha.meet(func() { s.ha.refuse = []string{"backend longer"} })
	s.launch(t)
	same(t, "all but one", []string{"web", "longest", "long", "y", "z"}, s.laidOut())
	for _, launch := range s.ha.launches {
		if config := string(launch.Config); !strings.Contains(config, "backend y\n") || !strings.Contains(config, "backend z\n") {
			t.Error("it tried without those that serve")
		}
	}
}

// If it accepts none of them any more that is the configuration's fault.
func TestTakeoverFromGroupsThatAreNotAcceptedAnyMore(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.runs("backend web\n server web1 10.0.0.1:80\nbackend y\n server y1 10.0.0.10:80\nbackend z\n server z1 10.0.0.11:80\n")
	s.lists("y", "z", "w")
	s.recall(t.Context())
	for _, tells := range []bool{false, true} {
		s.ha.meet(func() { s.ha.refuse, s.ha.tells = []string{"backend y", "backend z"}, tells })
		if err := s.reload(t.Context(), "start"); !errors.Is(err, registry.ErrRefused) {
			t.Errorf("error %v", err)
		}
		same(t, "nobody is left out", 4, len(s.laid()))
	}
}

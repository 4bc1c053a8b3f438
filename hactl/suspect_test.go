package hactl

import (
	"context"
	"errors"
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
	same(t, "the old ones", []string{"web", "a"}, s.laidOut())
	s.bury(s.workers[0].pid)
	for range 4 {
		s.again(t)
	}
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
	for range 3 {
		s.again(t)
	}
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
	same(t, "who is accepted", []string{"web", "b"}, s.laidOut())
	for range 2 {
		s.again(t)
	}
	same(t, "all but one", []string{"web", "b", "c"}, s.laidOut())
	same(t, "a reload that is wanted", "", s.reloadCause)
}

// HAProxy tells in which lines it finds fault.
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

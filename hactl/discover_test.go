package hactl

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

func (s *story) names() []string {
	var names []string
	for _, g := range s.desired.groups {
		names = append(names, g.backend.Name)
	}
	return names
}

// discovering enables discovery of groups without health checks; names with a space are
// unsafe.
func discovering(tb testing.TB) *story {
	tb.Helper()
	s := newStory(tb, backendOf("web", 2))
	s.with(func(o *Options) {
		o.Discover = func(name string) (haproxy.Backend, error) {
			if strings.Contains(name, " ") {
				return haproxy.Backend{}, errors.New("a space")
			}
			b := backendOf(name, 2)
			b.Servers.Params = nil
			return b, nil
		}
	})
	return s
}

func TestDiscoveredGroupsStory(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.set("web", 1)
	s.absorb(t.Context())
	if s.desired.complete() {
		t.Error("complete before it is known which groups there are")
	}
	s.SetGroups(registry.Discovered{Names: []string{"b", "web-admin", "a", "web", "un safe", "public"}})
	s.absorb(t.Context())
	same(t, "groups", []string{"web", "web-admin", "a", "b"}, s.names()) // public is the template's frontend
	if s.desired.complete() {
		t.Error("complete before the discovered groups were read")
	}
	for i, name := range []string{"web-admin", "a", "b"} {
		s.set(name, 10+i)
	}
	s.absorb(t.Context())
	if !s.desired.complete() {
		t.Error("not complete")
	}
	if err := s.replaceGeneration(t.Context(), "start"); err != nil {
		t.Fatal(err)
	}
	same(t, "web-admin", [][]int{{10, 0}, {10, 0}}, s.ha.serving("web-admin"))

	s.SetGroups(registry.Discovered{Names: []string{"web-admin", "c", "longest"}})
	s.set("c", 20)
	s.set("longest", 21)
	s.absorb(t.Context())
	same(t, "groups", []string{"web", "web-admin", "longest", "a", "b", "c"}, s.names())
	same(t, "the reload that is wanted", "groups", s.wanted())
	s.retire()
	s.assign(t.Context())
	s.apply(t.Context(), s.desired.groups)
	same(t, "a, whose path is gone", [][]int{{0, 0}, {0, 0}}, s.ha.serving("a"))
	if err := s.replaceGeneration(t.Context(), s.wanted()); err != nil {
		t.Fatal(err)
	}
	same(t, "longest", [][]int{{21, 0}, {21, 0}}, s.ha.serving("longest"))

	s.set("a", 30) // read before the path was deleted
	s.absorb(t.Context())
	s.retire()
	same(t, "the reload that is wanted", "", s.wanted())
	if wait := s.desired.retireAt.Sub(s.time()); wait <= 0 || wait > emptyFor {
		t.Errorf("a and b go in %v", wait)
	}
	for _, g := range s.desired.groups {
		if name := g.backend.Name; name == "a" || name == "c" || name == "web" {
			g.emptied = time.Now().Add(-emptyFor)
		}
	}
	s.retire()
	same(t, "the reload that is wanted", "groups", s.wanted())
	if err := s.replaceGeneration(t.Context(), s.wanted()); err != nil {
		t.Fatal(err)
	}
	same(t, "groups", []string{"web", "web-admin", "longest", "b", "c"}, s.names())
	same(t, "groups shown", 5, len(s.Snapshot().Groups))
	same(t, "reloads", []string{"start", "groups", "groups"}, s.ha.causes())
}

// The sticky sessions of a deleted group are drained first.
func TestDeletedGroupStaysWhileItDrains(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.with(func(o *Options) {
		o.Discover = func(name string) (haproxy.Backend, error) { return draining(name, 2, time.Hour), nil }
	})
	s.SetGroups(registry.Discovered{Names: []string{"a"}})
	s.absorb(t.Context())
	s.set("a", 1)
	s.launch(t)
	s.SetGroups(registry.Discovered{})
	s.absorb(t.Context())
	g := s.desired.groups[0]
	s.passes(500 * time.Millisecond) // the grace period of the last instance
	s.absorb(t.Context())
	s.assign(t.Context())
	s.passes(emptyFor)
	s.retire()
	same(t, "reload while it drains", "", s.wanted())
	g.table.Settle(time.Now().Add(2*time.Hour), func(netip.AddrPort) bool { return false })
	s.retire()
	same(t, "reload afterwards", "groups", s.wanted())
}

func TestEmptyDiscoveryIsComplete(t *testing.T) {
	t.Parallel()
	s := discovering(t)
	s.set("web")
	s.SetGroups(registry.Discovered{})
	s.absorb(t.Context())
	if !s.desired.complete() {
		t.Error("not complete")
	}
}

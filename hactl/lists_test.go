package hactl

import (
	"fmt"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// A change of one group reaches the workers without a look at the others, of which there
// may be thousands.
func TestChangeLooksAtItsGroupOnly(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*testing.T, *story){
		"nothing else": func(*testing.T, *story) {},
		"beside a group that has changed recently": func(t *testing.T, s *story) {
			s.set("other", 4)
			s.step(t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := amongMany(t)
			begin(t, s)
			walked := s.walks()
			s.set("web", 1, 2)
			s.step(t.Context())
			s.serves(t, "it entered", "web", 1, 2, 0)
			s.set("web", 2)
			s.step(t.Context())
			s.serves(t, "it left", "web", 0, 2, 0)
			if walked() {
				t.Error("a group was looked at that had nothing to do with it")
			}
			same(t, "published", []string{"10.0.0.2:80"}, s.published("web"))
			same(t, "reloads", []string{"start"}, s.ha.causes())
		})
	}
}

// HAProxy has got the group after its start, and need never be reloaded.
func TestChangeOfAddedGroupLooksAtItOnly(t *testing.T) {
	t.Parallel()
	names := []string{"web"}
	for i := range manyBackends {
		names = append(names, fmt.Sprint("g", i))
	}
	s := live(t, names...)
	s.launch(t)
	s.step(t.Context())
	s.listed(append(names, "longest-name")...)
	s.settles(t, 40*time.Second)
	walked := s.walks()
	s.set("longest-name", 42, 200)
	s.step(t.Context())
	same(t, "it entered", []int{42, 200}, s.inService("longest-name"))
	if walked() {
		t.Error("a group was looked at that had nothing to do with it")
	}
	same(t, "published", []string{"10.0.0.42:80", "10.0.0.200:80"}, s.published("longest-name"))
}

// What may concern other groups is decided with a look at all of them.
func TestChangeThatConcernsOthersLooksAtAll(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*story){
		"more instances than slots": func(s *story) { s.set("web", 1, 2, 5, 6, 7, 8) },
		"the list of groups":        func(s *story) { s.find("web", "other", "further") },
		"two groups are lost":       func(s *story) { s.set("web"); s.set("other") },
		"half of the groups": func(s *story) {
			for i := range manyBackends/2 + fewGroups {
				s.set(fmt.Sprint("g", i), 9)
			}
		},
		"an operator's request": func(s *story) { s.Reload("signal"); s.set("web", 1, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := amongMany(t)
			walked := s.walks()
			change(s)
			s.step(t.Context())
			if !walked() {
				t.Error("the other groups were not looked at")
			}
		})
	}
}

// An instance that had left just before all others did serves again with them: it must get
// its slot back before it is decided on once more, since without one it counts as down.
func TestLostGroupsKeepWhatLeftBefore(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2), backendOf("api", 4), backendOf("shop", 2))
	s.set("web", 1)
	s.set("api", 2, 3, 4, 5)
	s.set("shop", 6, 7)
	s.launch(t)
	s.step(t.Context())
	s.set("shop", 7)
	s.step(t.Context())
	s.serves(t, "one has left", "shop", 0, 7)
	s.set("web")
	s.set("api")
	s.set("shop")
	s.step(t.Context())
	s.serves(t, "both serve again", "shop", 6, 7)
	s.serves(t, "the only one stays", "web", 1, 0)
	same(t, "held", []int{1, 2, 3, 4, 5, 6, 7}, s.held())
}

const manyBackends = 40

// amongMany starts with the groups web and other, which have instances, and many that have
// none.
func amongMany(t *testing.T) *story {
	t.Helper()
	backends := []haproxy.Backend{backendOf("web", 3), backendOf("other", 3)}
	for i := range manyBackends {
		backends = append(backends, backendOf(fmt.Sprint("g", i), 2))
	}
	s := newStory(t, backends...)
	s.set("web", 1)
	s.set("other", 3)
	for i := range manyBackends {
		s.set(fmt.Sprint("g", i))
	}
	s.launch(t)
	s.step(t.Context())
	return s
}

// walks returns a function that reports whether the last group has been compared with the
// workers' servers since.
func (s *story) walks() func() bool {
	last := s.desired.groups[len(s.desired.groups)-1]
	for _, w := range s.fleet.workers {
		delete(w.equal, last)
	}
	return func() bool { return s.fleet.workers[0].equal[last] == last.table.Version() }
}

func (s *story) published(group string) (addresses []string) {
	for _, g := range s.Snapshot().Groups {
		for _, i := range g.Instances {
			if g.Name == group {
				addresses = append(addresses, i.String())
			}
		}
	}
	return addresses
}

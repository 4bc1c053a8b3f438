package hactl

import (
	"maps"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Source receives the registered instances for a staged layout, as the controller does
// for its own. Its methods may be called from any goroutine and do not block.
type Source struct {
	inbox *inbox
	in    chan struct{}

	// Guarded by the mutex of the inbox's requests until the loop takes the source, and
	// owned by the loop from then on.

	layout Layout
	groups map[string]registry.Group
	names  []string
	listed bool
	// unread has the groups missing in groups.
	unread map[string]bool
	// rendered is true once it is known that only a reload can make the layout the running
	// one.
	rendered bool
}

// SetGroups is like [Controller.SetGroups].
func (s *Source) SetGroups(d registry.Discovered) {
	s.set(func() {
		s.names, s.listed = d.Names, true
		s.await()
	}, func() { s.inbox.list(d) })
}

// SetGroup is like [Controller.SetGroup].
func (s *Source) SetGroup(g registry.Group) {
	s.set(func() {
		s.groups[g.Name] = g
		delete(s.unread, g.Name)
	}, func() { s.inbox.put(g) })
}

// In is closed once this source is the only one whose lists count.
func (s *Source) In() <-chan struct{} { return s.in }

func (s *Source) set(collect, pass func()) {
	r := &s.inbox.requests
	r.mu.Lock()
	defer r.mu.Unlock()
	switch s {
	case r.staged:
		collect()
		s.join()
	case r.joined:
		collect()
	case r.source:
		pass()
	}
}

// join hands a complete staged source to the loop.
func (s *Source) join() {
	if !s.complete() {
		return
	}
	r := &s.inbox.requests
	r.staged, r.joined, r.source = nil, s, s
	s.inbox.take() // from the previous source
	close(s.in)
	s.inbox.nudge()
}

func (s *Source) complete() bool {
	return len(s.unread) == 0 && (s.listed || s.layout.Discover == nil)
}

// await determines which groups are unread.
func (s *Source) await() {
	s.unread = make(map[string]bool)
	for _, b := range s.layout.Backends {
		s.unread[b.Name] = true
	}
	if s.layout.Discover != nil {
		for _, name := range s.names {
			if _, err := s.layout.Discover(name); err == nil { // otherwise the group is never read
				s.unread[name] = true
			}
		}
	}
	for name := range s.groups {
		delete(s.unread, name)
	}
}

// absorb applies mail that arrived after the source was taken.
func (s *Source) absorb(m mail) {
	maps.Copy(s.groups, m.groups)
	if m.listed {
		s.names, s.listed = m.found.Names, true
	}
}

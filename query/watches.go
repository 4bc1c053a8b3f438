package query

import "sync"

// place names a document: all proxies, one of them, or one of its groups.
type place struct{ proxy, group string }

// watches are the documents that blocked queries wait for. A change costs the same
// however many queries wait for one document: they share a channel. Any goroutine may call
// its methods.
type watches struct {
	mu      sync.Mutex
	watched map[place]*watch
}

// watch is a document with the index that its queries know.
type watch struct {
	index   uint64
	changed chan struct{} // closed at the change
	queries int
}

func newWatches() *watches { return &watches{watched: make(map[place]*watch)} }

// watch returns a channel that is closed when the index of a document is found to be
// another one. forget must be called unless it was closed.
func (s *watches) watch(what place, index uint64) (changed <-chan struct{}, forget func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watched[what]
	if w == nil {
		w = &watch{index: index, changed: make(chan struct{})}
		s.watched[what] = w
	}
	w.queries++
	return w.changed, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.queries--
		if w.queries == 0 && s.watched[what] == w {
			delete(s.watched, what)
		}
	}
}

// any reports whether a document is watched.
func (s *watches) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.watched) > 0
}

// wake wakes the queries whose documents have another index in e, or are not in it.
func (s *watches) wake(e *edition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for what, w := range s.watched {
		if e.index(what) != w.index {
			close(w.changed)
			delete(s.watched, what)
		}
	}
}

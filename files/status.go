package files

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// status is the published state of the directory.
type status struct {
	mu      sync.Mutex
	problem string // empty: it can be read
	absent  time.Time
	read    time.Time // when the last successful read began
	watched bool      // inotify reports every change
	denied  map[string]bool
}

// lost records why the directory cannot be read, and reports whether it could until now,
// or nothing was known of it yet.
func (s *status) lost(problem string) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news = s.absent.IsZero() && problem != firstProblem
	if news {
		s.absent = time.Now()
	}
	s.problem = problem
	return news
}

// firstProblem is the problem before the first read.
const firstProblem = "not read yet"

// found records that the directory can be read, and reports for how long it could not be
// if that was reported.
func (s *status) found() (after time.Duration, back bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if back = !s.absent.IsZero(); back {
		after = time.Since(s.absent)
	}
	s.problem, s.absent, s.read = "", time.Time{}, time.Now()
	return after, back
}

// heard records a successful read.
func (s *status) heard(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.After(s.read) {
		s.read = at
	}
}

func (s *status) isConnected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem == ""
}

func (s *status) setWatched(whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = whole
}

func (s *status) isWatched() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem == "" && s.watched
}

// deny records that a group may not be read.
func (s *status) deny(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.denied == nil {
		s.denied = make(map[string]bool)
	}
	s.denied[path] = true
}

// allow reverts deny.
func (s *status) allow(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.denied, path)
}

// deniedProblem names the first group that may not be read, so that the text is stable.
func (s *status) deniedProblem() string {
	if len(s.denied) == 0 {
		return ""
	}
	first := slices.Min(slices.Collect(maps.Keys(s.denied)))
	if more := len(s.denied) - 1; more > 0 {
		first = fmt.Sprintf("%s and %d more", first, more)
	}
	return fmt.Sprintf("no permission to read %s: let the user that haproxy-zk runs as read it, and enter its directories", first)
}

func (s *status) get() registry.ConnectionStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.read
	if s.problem == "" && s.watched {
		last = time.Now() // otherwise an event would have arrived
	}
	return registry.ConnectionStatus{Source: registry.Directory, Connected: s.problem == "", Last: last, Problem: s.problem, Denied: s.deniedProblem()}
}

package main

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// mode is how far a stop has gone; it only goes forward.
type mode int

const (
	goesOn   mode = iota
	soft          // HAProxy finishes its connections, however long that takes
	graceful      // it does within stop_grace
	hurried       // it ends
)

// after is the mode that a signal leads to.
func (m mode) after(sig os.Signal) mode {
	switch sig {
	case unix.SIGUSR1:
		return max(m, soft)
	case unix.SIGTERM, unix.SIGINT:
		if m >= graceful {
			return hurried
		}
		return graceful
	case unix.SIGQUIT:
		return hurried
	}
	return m
}

// stopping is the mode, as the proxies see it.
type stopping struct {
	mu   sync.Mutex
	mode mode
	// limited is closed when the grace begins of what stops softly, hurry when
	// there is none any more.
	limited, hurry chan struct{}
	// detached is closed before a stop that leaves HAProxy serving.
	detached chan struct{}
	once     sync.Once
}

func newStopping() *stopping {
	return &stopping{limited: make(chan struct{}), hurry: make(chan struct{}), detached: make(chan struct{})}
}

// advance takes in a signal and returns the mode before it and after it.
func (s *stopping) advance(sig os.Signal) (before, now mode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, now = s.mode, s.mode.after(sig)
	if before < graceful && now >= graceful {
		close(s.limited)
	}
	if before < hurried && now == hurried {
		close(s.hurry)
	}
	s.mode = now
	return before, now
}

// detach makes a stop that begins now one that leaves HAProxy serving. It may be
// called more than once.
func (s *stopping) detach() { s.once.Do(func() { close(s.detached) }) }

// soft is closed when the grace of a stop that begins now is to begin; nil is now.
func (s *stopping) soft() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mode == soft {
		return s.limited
	}
	return nil
}

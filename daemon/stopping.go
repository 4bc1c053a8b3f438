package daemon

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// mode is the stage of a stop; it never goes back.
type mode int

const (
	running   mode = iota
	soft           // HAProxy finishes its connections without a limit
	graceful       // HAProxy finishes its connections within stop_grace
	immediate      // HAProxy ends immediately
)

// after returns the mode after a signal.
func (m mode) after(sig os.Signal) mode {
	switch sig {
	case unix.SIGUSR1:
		return max(m, soft)
	case unix.SIGTERM, unix.SIGINT:
		if m >= graceful {
			return immediate
		}
		return graceful
	case unix.SIGQUIT:
		return immediate
	}
	return m
}

// stopping is the mode of the stop, shared with the proxies.
type stopping struct {
	mu   sync.Mutex
	mode mode
	// graceBegun is closed when the grace period of a soft stop begins, graceOver when it is
	// over.
	graceBegun, graceOver chan struct{}
	// detached is closed before a stop that leaves HAProxy running.
	detached chan struct{}
	once     sync.Once
}

func newStopping() *stopping {
	return &stopping{graceBegun: make(chan struct{}), graceOver: make(chan struct{}), detached: make(chan struct{})}
}

// advance applies a signal and returns the modes before and after it.
func (s *stopping) advance(sig os.Signal) (before, now mode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, now = s.mode, s.mode.after(sig)
	if before < graceful && now >= graceful {
		close(s.graceBegun)
	}
	if before < immediate && now == immediate {
		close(s.graceOver)
	}
	s.mode = now
	return before, now
}

// detach makes the next stop leave HAProxy running and reports whether it does: a stop that
// a signal has begun continues as requested. It may be called more than once.
func (s *stopping) detach() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mode != running {
		return false
	}
	s.once.Do(func() { close(s.detached) })
	return true
}

// graceStarts returns a channel that is closed when the grace period of a stop begins; nil
// means that it begins at once.
func (s *stopping) graceStarts() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mode == soft {
		return s.graceBegun
	}
	return nil
}

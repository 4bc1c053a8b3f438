//go:build deploy

package deploy

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// failures remembers how requests were lost, and when.
type failures struct {
	mu          sync.Mutex
	first, last time.Time // when the first of them began, and the last one was given up
	// refused is how many found no listener.
	refused int
}

func (f *failures) add(lost rig.Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if errors.Is(lost.Err, syscall.ECONNREFUSED) {
		f.refused++
	}
	if f.first.IsZero() || lost.At.Before(f.first) {
		f.first = lost.At
	}
	if lost.Ended.After(f.last) {
		f.last = lost.Ended
	}
}

// lasted returns for how long requests were lost.
func (f *failures) lasted() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last.Sub(f.first)
}

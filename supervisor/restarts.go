package supervisor

import (
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/streak"
)

// restarts is the streak of restarts of something that ends too soon. It is over once that
// has run for a while.
type restarts struct {
	settled time.Duration
	// over is called with attributes for the line that says so.
	over func(attrs []any)

	mu      sync.Mutex
	failing streak.Streak
}

// begun is called when it was started; ended is to be called when it has ended.
func (r *restarts) begun() (ended func()) {
	settle := time.AfterFunc(r.settled, r.settle)
	return func() { settle.Stop() }
}

// failed records that it ended too soon, and reports what to log.
func (r *restarts) failed(reason string) (attrs []any, due bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failing.Failed(time.Now(), reason)
}

func (r *restarts) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if attrs, ended := r.failing.Over(time.Now()); ended {
		r.over(attrs)
	}
}

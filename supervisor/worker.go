package supervisor

import (
	"context"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// process is a process of HAProxy: a [Child], or a [foreignProcess] that an earlier
// haproxy-zk started.
type process interface {
	// Done returns a channel that is closed once the process has ended.
	Done() <-chan struct{}
	// sendSignal does nothing once the process has ended.
	sendSignal(sig unix.Signal) error
	// outcome returns how it ended, valid once Done is closed; only a parent knows.
	outcome() (status unix.WaitStatus, known bool)
}

// worker is one process of a generation.
type worker struct {
	process
	pid int

	sent atomic.Uint64 // bit N: signal N
}

// sendSignal may be called from any goroutine.
func (w *worker) sendSignal(sig unix.Signal) error {
	w.sent.Or(1 << uint(sig))
	return w.process.sendSignal(sig)
}

func (w *worker) wasSent(sig unix.Signal) bool { return w.sent.Load()&(1<<uint(sig)) != 0 }

func (w *worker) ended() bool {
	select {
	case <-w.Done():
		return true
	default:
		return false
	}
}

// exitStatus returns how it ended, for the log.
func (w *worker) exitStatus() string {
	status, known := w.outcome()
	if !known {
		return "unknown, not a child process"
	}
	return describe(status)
}

// reason returns the label of the exits metric for a worker that was draining.
func (w *worker) reason() string {
	status, known := w.outcome()
	switch {
	case known && status.Signaled() && !w.wasSent(status.Signal()):
		return "died"
	case w.wasSent(unix.SIGTERM) || w.wasSent(unix.SIGKILL):
		return "killed"
	}
	return "drained"
}

// whileAlive returns a context that is done when ctx is, or when one of the workers has
// ended. Call stop, which waits for the goroutines that watch them.
func whileAlive(ctx context.Context, workers []*worker) (alive context.Context, stop func()) {
	alive, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	for _, w := range workers {
		watching.Go(func() {
			select {
			case <-w.Done():
				cancel()
			case <-alive.Done():
			}
		})
	}
	return alive, func() {
		cancel()
		watching.Wait()
	}
}

func allEnded(workers []*worker) bool {
	for _, w := range workers {
		if !w.ended() {
			return false
		}
	}
	return true
}

func pidsOf(workers []*worker) []int {
	var pids []int
	for _, w := range workers {
		pids = append(pids, w.pid)
	}
	return pids
}

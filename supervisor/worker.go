package supervisor

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// process is what can be done with a process of HAProxy: a [Child], or a
// [stranger] that an earlier haproxy-zk started.
type process interface {
	// Done is closed when the process has ended.
	Done() <-chan struct{}
	// signal does nothing once the process has ended.
	signal(sig unix.Signal) error
	// outcome is how it ended, valid once Done is closed; only a parent knows.
	outcome() (status unix.WaitStatus, known bool)
}

// worker is one process of a generation.
type worker struct {
	process
	pid int

	sent atomic.Uint64 // bit N: signal N
}

// signal may be called from any goroutine.
func (w *worker) signal(sig unix.Signal) error {
	w.sent.Or(1 << uint(sig))
	return w.process.signal(sig)
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

// status says how it ended.
func (w *worker) status() string {
	status, known := w.outcome()
	if !known {
		return "not known, it was no child"
	}
	return describe(status)
}

// reason is why a worker that was to finish its connections has ended, as the
// metric has it.
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

func pidsOf(workers []*worker) []int {
	var pids []int
	for _, w := range workers {
		pids = append(pids, w.pid)
	}
	return pids
}

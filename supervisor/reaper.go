package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// Reaper is the one owner of wait4 in the process. Nobody else may wait for a
// child, os/exec included: a second waiter and this one steal each other's exit
// statuses.
//
// Its children are those it started and whatever processes lose their parent
// below it: HAProxy's workers among them, which their launcher leaves behind.
type Reaper struct {
	log     *slog.Logger
	signals chan os.Signal

	mu       sync.Mutex
	children map[int]*Child
	// strays are the statuses of processes that ended before anybody adopted
	// them. They are kept while a launch is under way.
	strays    map[int]unix.WaitStatus
	launching int
	orphans   int
}

// NewReaper makes the process the subreaper of its descendants, which process 1
// is without being asked, and keeps from them the descriptors that it inherited.
// Children can be started at once; they are waited for while Run runs.
func NewReaper(log *slog.Logger) (*Reaper, error) {
	if err := keepDescriptors(); err != nil {
		return nil, err
	}
	// qemu-user, which runs images of another architecture, has no subreapers.
	if os.Getpid() != 1 {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("become the subreaper of HAProxy's workers: %w", err)
		}
	}
	r := &Reaper{
		log:      log,
		signals:  make(chan os.Signal, 1),
		children: make(map[int]*Child),
		strays:   make(map[int]unix.WaitStatus),
	}
	signal.Notify(r.signals, unix.SIGCHLD)
	return r, nil
}

// Run reaps until ctx is done, and returns nil.
func (r *Reaper) Run(ctx context.Context) error {
	defer signal.Stop(r.signals)
	for {
		r.reap()
		select {
		case <-ctx.Done():
			r.reap()
			return nil
		case <-r.signals:
		}
	}
}

func (r *Reaper) reap() {
	for r.reapOnce() {
	}
}

// reapOnce waits for one child that has ended; false when there is none.
func (r *Reaper) reapOnce() bool {
	// Under the lock, so that a child that ends at once is known when its status
	// arrives, and a pid is not signalled once it may be somebody else's.
	r.mu.Lock()
	defer r.mu.Unlock()
	var status unix.WaitStatus
	pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
	switch {
	case errors.Is(err, unix.EINTR):
		return true
	case err != nil || pid == 0:
		return false
	}
	if child := r.children[pid]; child != nil {
		delete(r.children, pid)
		child.end(status)
		return true
	}
	if r.launching > 0 {
		r.strays[pid] = status
	}
	r.orphans++
	r.log.Debug("reaped an orphan", "pid", pid, "status", describe(status))
	return true
}

// Orphans is how many processes it has waited for that nobody here started.
func (r *Reaper) Orphans() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.orphans
}

// start forks and executes path. The child gets files as its descriptors, from 0 on.
func (r *Reaper) start(path string, args []string, files []*os.File) (*Child, error) {
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = f.Fd()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := unixForkExec(path, args, fds)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return r.own(pid), nil
}

func (r *Reaper) own(pid int) *Child {
	child := &Child{PID: pid, reaper: r, done: make(chan struct{})}
	r.children[pid] = child
	return child
}

// expect says that a launcher is about to leave processes behind: the exits of
// unknown ones are remembered for [Reaper.adopt] until the returned function is called.
func (r *Reaper) expect() (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.launching++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.launching--; r.launching == 0 {
			clear(r.strays)
		}
	}
}

// adopt makes a process, which a launcher left behind, a known child. It may
// have ended already. A process that is none of ours, or known already, is an
// error: its end would never be told here.
func (r *Reaper) adopt(pid int) (*Child, error) {
	// Under the lock nobody is reaped, and a child's pid stays its own.
	r.mu.Lock()
	defer r.mu.Unlock()
	status, ended := r.strays[pid]
	switch {
	case r.children[pid] != nil:
		return nil, fmt.Errorf("process %d was started earlier", pid)
	case !ended && !isChild(pid):
		return nil, fmt.Errorf("process %d is no child of this one", pid)
	}
	child := r.own(pid)
	if ended {
		delete(r.strays, pid)
		delete(r.children, pid)
		child.end(status)
	}
	return child, nil
}

// strayed tells whether a process has ended since a launch began that nobody here
// started or adopted.
func (r *Reaper) strayed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.strays) > 0
}

// unknown tells whether a process is a child that nobody here started or adopted.
func (r *Reaper) unknown(pid int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.children[pid] == nil && isChild(pid)
}

// isChild asks the kernel without a descriptor, of which there may be none, and
// leaves the exit status where it is.
func isChild(pid int) bool {
	return unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == nil
}

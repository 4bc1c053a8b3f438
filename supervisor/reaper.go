package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Reaper is the only caller of wait4 in the process. Nothing else may wait for a child,
// os/exec included: two waiters steal each other's exit statuses.
//
// Its children are those it started and all descendants that lose their parent, such as
// HAProxy's workers, whose launcher exits.
type Reaper struct {
	log     *slog.Logger
	signals chan os.Signal

	mu       sync.Mutex
	children map[int]*Child
	// strays are the statuses of processes that ended before they were adopted. They are
	// kept during a launch.
	strays    map[int]unix.WaitStatus
	launching int
	orphans   int
	oomScore  oomScore
}

// NewReaper makes the process the subreaper of its descendants, which process 1 is by
// itself, and closes the descriptors it inherited on exec. Children can be started at
// once; they are reaped while Run runs.
func NewReaper(log *slog.Logger) (*Reaper, error) {
	if err := closeDescriptorsOnExec(); err != nil {
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

// StartReaper calls [NewReaper] and runs the reaper until stop is called, which waits
// for it. Call stop once.
func StartReaper(log *slog.Logger) (reaper *Reaper, stop func(), err error) {
	reaper, err = NewReaper(log)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = reaper.Run(ctx) // it returns nil
	}()
	return reaper, func() { cancel(); <-ended }, nil
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

// reapOnce reaps one child that has ended, and returns false if there is none.
func (r *Reaper) reapOnce() bool {
	// The lock makes sure that a child which ends at once is registered before its status
	// arrives, and that a pid is not signaled once it may belong to another process.
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

// Orphans returns how many processes it has reaped that this process did not start.
func (r *Reaper) Orphans() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.orphans
}

// start forks and executes path. The child gets files as its descriptors from 0 on.
func (r *Reaper) start(path string, args []string, files []*os.File) (*Child, error) {
	return r.fork(path, append([]string{path}, args...), files)
}

// fork is start with an explicit argv[0]. The child gets its own process group: its
// descendants can be killed with it, and signals of the terminal do not reach it.
func (r *Reaper) fork(path string, argv []string, files []*os.File) (*Child, error) {
	return r.forkUntil(0, path, argv, files)
}

// forkUntil is fork of a child that gets a signal when this process dies; 0 is none.
func (r *Reaper) forkUntil(death unix.Signal, path string, argv []string, files []*os.File) (*Child, error) {
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = f.Fd()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	resume := r.oomScore.suspend()
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{Env: os.Environ(), Files: fds, Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: death}})
	resume()
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

// expect is called before a launcher leaves processes behind: exits of unknown
// processes are remembered for [Reaper.adoptChild] until the returned function is called.
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

// adoptChild registers a process that a launcher left behind, and that may have ended
// already, as a child. A process that is not a child, or already registered, is an
// error: its exit would never be delivered.
func (r *Reaper) adoptChild(pid int) (*Child, error) {
	// The lock stops the reaper, so a child's pid cannot be reused.
	r.mu.Lock()
	defer r.mu.Unlock()
	status, ended := r.strays[pid]
	switch {
	case r.children[pid] != nil:
		return nil, fmt.Errorf("process %d was started earlier", pid)
	case !ended && !isChild(pid):
		return nil, fmt.Errorf("process %d is not a child of this process", pid)
	}
	child := r.own(pid)
	if ended {
		delete(r.strays, pid)
		delete(r.children, pid)
		child.end(status)
	}
	return child, nil
}

// strayed reports whether a process that was neither started nor adopted here has ended
// since a launch began.
func (r *Reaper) strayed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.strays) > 0
}

// launched returns the processes of an HAProxy that another process started, as
// [HAProxy.launch] does, and that were not adopted here.
func (r *Reaper) launched() ([]int, error) {
	return search(func(pid int) (bool, error) {
		if !r.unknown(pid) {
			return false, nil
		}
		args, err := arguments(pid)
		return isLaunch(args), err
	})
}

// unknown reports whether a process is a child that was neither started nor adopted
// here.
func (r *Reaper) unknown(pid int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.children[pid] == nil && isChild(pid)
}

// isChild asks the kernel without needing a file descriptor, and leaves the exit status
// to be reaped.
func isChild(pid int) bool {
	return unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == nil
}

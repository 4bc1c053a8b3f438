package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

const (
	daemonStop = 15 * time.Second
	outputWait = time.Second
)

// EndsAtOnce belongs into the environment of programs that are built with the race
// detector: otherwise each sleeps for a second before it ends.
const EndsAtOnce = "GORACE=atexit_sleep_ms=0"

// DaemonOptions describe a [Daemon].
type DaemonOptions struct {
	Binary string
	Args   []string
	// Env is added to PATH, HOME and [EndsAtOnce]; nothing else is inherited.
	Env []string
	// Dir is an existing directory for the daemon alone: HOME, the working directory,
	// and the mark by which its HAProxy processes are recognized, since their arguments
	// name files in it.
	Dir string
	// Stderr receives what the daemon writes instead of Output; nil means Output.
	Stderr *os.File
	// Inherits are descriptors that the daemon inherits, from 3 on.
	Inherits []*os.File
	// Alone makes the daemon PID 1 of its own PID namespace, with its own /proc.
	Alone bool
	// Files is the daemon's limit of open files; 0 means that of this process.
	Files int
	// Namespace is the daemon's network; nil means that of this process.
	Namespace *Namespace
}

// Daemon is a running haproxy-zk. If this process dies first the daemon gets SIGTERM,
// so that it stops HAProxy as well.
type Daemon struct {
	dir    string
	output output
	child  *child
}

// StartDaemon starts the daemon without waiting until it is ready.
func StartDaemon(options DaemonOptions) (*Daemon, error) {
	if options.Dir == "" {
		return nil, errors.New("start the daemon: it needs a folder of its own")
	}
	d := &Daemon{dir: options.Dir}
	cmd := exec.Command(options.Binary, options.Args...)
	if options.Alone {
		// The shell is PID 1 until it execs the daemon.
		cmd = exec.Command("/bin/sh", append([]string{"-c", `mount --make-rprivate / && mount -t proc proc /proc && exec "$0" "$@"`, options.Binary}, options.Args...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	}
	if options.Files > 0 {
		limited := exec.Command("/bin/sh", append([]string{"-c", "ulimit -n " + strconv.Itoa(options.Files) + ` && exec "$0" "$@"`}, cmd.Args...)...)
		limited.SysProcAttr = cmd.SysProcAttr
		cmd = limited
	}
	if options.Namespace != nil {
		inside := options.Namespace.Command(cmd.Args[0], cmd.Args[1:]...)
		inside.SysProcAttr = cmd.SysProcAttr
		cmd = inside
	}
	cmd.Dir = options.Dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + options.Dir, EndsAtOnce}, options.Env...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &d.output, &d.output, options.Inherits
	if options.Stderr != nil {
		cmd.Stderr = options.Stderr
	}
	cmd.WaitDelay = outputWait // leftover processes of the daemon may keep its output open
	child, err := startChild(cmd, syscall.SIGTERM)
	if err != nil {
		return nil, fmt.Errorf("start the daemon: %w", err)
	}
	d.child = child
	return d, nil
}

// PID returns the daemon's process id.
func (d *Daemon) PID() int { return d.child.pid() }

// Output returns what the daemon has written to stdout and stderr, at least the last
// megabyte.
func (d *Daemon) Output() string { return d.output.String() }

// WaitOutput waits until the output contains text. If the daemon or ctx ends first, the
// error has the end of the output.
func (d *Daemon) WaitOutput(ctx context.Context, text string) error {
	for {
		found, changed := d.output.find(text)
		if found {
			return nil
		}
		select {
		case <-changed:
		case <-d.child.done:
			if found, _ := d.output.find(text); found {
				return nil
			}
			return fmt.Errorf("the daemon ended (%s) without writing %q; its output ends:\n%s", d.child.state(), text, d.output.tail())
		case <-ctx.Done():
			return fmt.Errorf("wait until the daemon writes %q: %w; its output ends:\n%s", text, ctx.Err(), d.output.tail())
		}
	}
}

// Signal sends a signal to the daemon alone. A daemon that has ended gives
// [os.ErrProcessDone].
func (d *Daemon) Signal(sig syscall.Signal) error { return d.child.signal(sig) }

// Wait waits until the daemon has ended and returns its exit code, 128 + N if signal N
// ended it. It returns an error if ctx ends first. It may be called again.
func (d *Daemon) Wait(ctx context.Context) (int, error) {
	if err := d.child.wait(ctx); err != nil {
		return 0, fmt.Errorf("wait for the daemon: %w", err)
	}
	status := d.child.state().Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}

// Kill kills the daemon alone with SIGKILL, like a crash, and waits for it. HAProxy
// keeps running.
func (d *Daemon) Kill() {
	_ = d.child.signal(syscall.SIGKILL)
	<-d.child.done
}

// Descendants returns the daemon's living children, their children and so on, including
// zombies. HAProxy's workers leave its process group and session, but remain
// descendants.
func (d *Daemon) Descendants() ([]Process, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	return descendants(all, d.PID()), nil
}

// Leftovers returns the running processes, whatever their parent, whose arguments name
// the daemon's directory or a file in it, except for the daemon itself. Zombies have no
// arguments and are not found.
func (d *Daemon) Leftovers() ([]Process, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, p := range all {
		if p.PID != d.PID() && p.PID != os.Getpid() && p.names(d.dir) {
			found = append(found, p)
		}
	}
	return found, nil
}

// Close ends the daemon with SIGTERM, after 15 s with SIGKILL, then kills its leftovers
// and waits for them. It may be called twice.
func (d *Daemon) Close() error {
	d.child.stop(daemonStop)
	return Eventually(context.Background(), daemonStop, func() error {
		left, err := d.Leftovers()
		if err != nil {
			return err
		}
		for _, p := range left {
			_ = syscall.Kill(p.PID, syscall.SIGKILL)
		}
		if len(left) > 0 {
			return fmt.Errorf("processes are left: %v", left)
		}
		return nil
	})
}

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

// DaemonOptions describe a [Daemon].
type DaemonOptions struct {
	Binary string
	Args   []string
	// Env is added to PATH and HOME; nothing else is inherited.
	Env []string
	// Dir is an existing folder of the daemon's own: HOME, the working directory,
	// and the mark by which its HAProxy processes are known, since their
	// arguments name files in it.
	Dir string
	// Stderr takes what the daemon writes instead of Output; nil is Output.
	Stderr *os.File
	// Inherits are descriptors that the daemon gets, from 3 on.
	Inherits []*os.File
	// Alone makes the daemon PID 1 of a PID namespace of its own, with the /proc
	// that belongs to it.
	Alone bool
	// Files is the limit of open files that the daemon is started with; 0 is that
	// of this process.
	Files int
}

// Daemon is a running haproxy-zk. If this process dies first it gets SIGTERM, so
// that it stops HAProxy as well.
type Daemon struct {
	dir    string
	output output
	child  *child
}

// StartDaemon starts the daemon. It does not wait until it works.
func StartDaemon(options DaemonOptions) (*Daemon, error) {
	if options.Dir == "" {
		return nil, errors.New("start the daemon: it needs a folder of its own")
	}
	d := &Daemon{dir: options.Dir}
	cmd := exec.Command(options.Binary, options.Args...)
	if options.Alone {
		// The shell is PID 1 until it becomes the daemon.
		cmd = exec.Command("/bin/sh", append([]string{"-c", `mount --make-rprivate / && mount -t proc proc /proc && exec "$0" "$@"`, options.Binary}, options.Args...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	}
	if options.Files > 0 {
		limited := exec.Command("/bin/sh", append([]string{"-c", "ulimit -n " + strconv.Itoa(options.Files) + ` && exec "$0" "$@"`}, cmd.Args...)...)
		limited.SysProcAttr = cmd.SysProcAttr
		cmd = limited
	}
	cmd.Dir = options.Dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + options.Dir}, options.Env...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &d.output, &d.output, options.Inherits
	if options.Stderr != nil {
		cmd.Stderr = options.Stderr
	}
	cmd.WaitDelay = outputWait // what the daemon left running may hold its output open
	child, err := startChild(cmd, syscall.SIGTERM)
	if err != nil {
		return nil, fmt.Errorf("start the daemon: %w", err)
	}
	d.child = child
	return d, nil
}

// PID is the daemon's process id.
func (d *Daemon) PID() int { return d.child.pid() }

// Output is what the daemon has written to stdout and stderr, of very much the
// last megabyte at least.
func (d *Daemon) Output() string { return d.output.String() }

// WaitOutput waits until the output contains text. If the daemon ends before
// that, or ctx does, the error has the end of the output.
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

// Signal sends a signal to the daemon alone. One that has ended gives
// [os.ErrProcessDone].
func (d *Daemon) Signal(sig syscall.Signal) error { return d.child.signal(sig) }

// Wait waits until the daemon has ended and returns its exit code, 128 + N when
// signal N ended it. The error is that ctx ended first. It may be called again.
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

// Kill ends the daemon alone with SIGKILL, as a crash does, and waits for it.
// HAProxy goes on.
func (d *Daemon) Kill() {
	_ = d.child.signal(syscall.SIGKILL)
	<-d.child.done
}

// Descendants are the daemon's living children, their children and so on,
// zombies as well. HAProxy's workers leave its process group and session, but
// not this.
func (d *Daemon) Descendants() ([]Process, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	return descendants(all, d.PID()), nil
}

// Leftovers are the running processes, whoever their parent is, whose arguments
// name the daemon's folder or a file in it; the daemon is not one of them.
// Zombies have no arguments and are not found.
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

// Close ends the daemon with SIGTERM, after 15 s with SIGKILL, then kills its
// leftovers and waits until they are gone. It may be called twice.
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

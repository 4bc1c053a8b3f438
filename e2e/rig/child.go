package rig

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// child is a running command in its own process group.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once the command has been waited for
}

// startChild starts cmd. If this process dies first, the command gets the signal
// onDeath.
func startChild(cmd *exec.Cmd, onDeath syscall.Signal) (*child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, onDeath
	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel sends the signal when the thread that forked ends, not the process
		// (prctl(2), PR_SET_PDEATHSIG), so the thread is kept until the command has
		// ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // the result is in cmd.ProcessState
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) exited() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// state is valid once done is closed.
func (c *child) state() *os.ProcessState { return c.cmd.ProcessState }

func (c *child) signal(sig syscall.Signal) error { return c.cmd.Process.Signal(sig) }

func (c *child) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// kill kills the whole process group and waits for its leader.
func (c *child) kill() {
	if !c.exited() {
		_ = syscall.Kill(-c.pid(), syscall.SIGKILL)
	}
	<-c.done
}

// stop sends SIGTERM, then kills what is still running after grace.
func (c *child) stop(grace time.Duration) {
	_ = c.signal(syscall.SIGCONT)
	_ = c.signal(syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if c.wait(ctx) != nil {
		c.kill()
	}
}

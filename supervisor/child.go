package supervisor

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Child is a process that the reaper waits for.
type Child struct {
	PID int

	reaper *Reaper
	done   chan struct{}
	status unix.WaitStatus // valid once done is closed
}

// end is called with the reaper's lock held.
func (c *Child) end(status unix.WaitStatus) {
	c.status = status
	close(c.done)
}

// Done is closed when the process has ended and was waited for.
func (c *Child) Done() <-chan struct{} { return c.done }

// Status is how it ended; valid once Done is closed.
func (c *Child) Status() unix.WaitStatus { return c.status }

func (c *Child) outcome() (unix.WaitStatus, bool) { return c.status, true }

func (c *Child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// signal sends sig, and does nothing once the process has ended: its pid can
// then be anybody's.
func (c *Child) signal(sig unix.Signal) error {
	c.reaper.mu.Lock()
	defer c.reaper.mu.Unlock()
	if c.ended() {
		return nil
	}
	if err := unix.Kill(c.PID, sig); err != nil {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(sig), c.PID, err)
	}
	return nil
}

// describe says how a process ended.
func describe(status unix.WaitStatus) string {
	switch {
	case status.Signaled():
		return "killed by " + unix.SignalName(status.Signal())
	case status.Exited():
		return fmt.Sprintf("exit code %d", status.ExitStatus())
	}
	return fmt.Sprintf("status %#x", uint32(status))
}

func unixForkExec(path string, args []string, fds []uintptr) (int, error) {
	return syscall.ForkExec(path, append([]string{path}, args...), &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: fds,
	})
}

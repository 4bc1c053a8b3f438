package supervisor

import (
	"fmt"

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

// Done returns a channel that is closed once the process has ended and been reaped.
func (c *Child) Done() <-chan struct{} { return c.done }

// Status returns how the process ended; it is valid once Done is closed.
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

// sendSignal sends sig, and does nothing once the process has ended: another process may
// have its pid by then.
func (c *Child) sendSignal(sig unix.Signal) error { return c.kill(c.PID, sig) }

// signalGroup sends sig to all processes of the group that the child leads.
func (c *Child) signalGroup(sig unix.Signal) error { return c.kill(-c.PID, sig) }

func (c *Child) kill(target int, sig unix.Signal) error {
	c.reaper.mu.Lock()
	defer c.reaper.mu.Unlock()
	if c.ended() {
		return nil
	}
	if err := unix.Kill(target, sig); err != nil {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(sig), c.PID, err)
	}
	return nil
}

// describe returns how a process ended, for logs and errors.
func describe(status unix.WaitStatus) string {
	switch {
	case status.Signaled():
		return "killed by " + unix.SignalName(status.Signal())
	case status.Exited():
		return fmt.Sprintf("exit code %d", status.ExitStatus())
	}
	return fmt.Sprintf("status %#x", uint32(status))
}

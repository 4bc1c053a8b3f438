package supervisor

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// foreignProcess is a process that is not a child. It is represented by a pidfd, which
// never refers to a later process with the same pid (pidfd_open(2), Linux 5.3).
type foreignProcess struct {
	pidfd *os.File
	done  chan struct{}
}

// openForeignProcess returns the process that has the pid now, or unix.ESRCH if there
// is none. The caller runs await.
func openForeignProcess(pid int) (*foreignProcess, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		// Lets the runtime's poller use it, so that Close ends a wait.
		if err = unix.SetNonblock(fd, true); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open a pidfd of process %d: %w", pid, err)
	}
	return &foreignProcess{os.NewFile(uintptr(fd), fmt.Sprintf("pidfd of %d", pid)), make(chan struct{})}, nil
}

// await returns when the process has ended or close was called. Call it once.
func (s *foreignProcess) await() {
	if conn, err := s.pidfd.SyscallConn(); err == nil {
		_ = conn.Read(readable) // it fails if the pidfd was closed
	}
	s.close()
	close(s.done)
}

// close stops watching the process.
func (s *foreignProcess) close() { s.pidfd.Close() }

// alive reports whether the process has not ended yet.
func (s *foreignProcess) alive() bool {
	ended := true
	if conn, err := s.pidfd.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { ended = readable(fd) })
	}
	return !ended
}

// readable reports whether a pidfd's process has ended.
func readable(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}

func (s *foreignProcess) Done() <-chan struct{} { return s.done }

func (s *foreignProcess) outcome() (unix.WaitStatus, bool) { return 0, false }

func (s *foreignProcess) sendSignal(sig unix.Signal) error {
	conn, err := s.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var sending error
	if conn.Control(func(fd uintptr) { sending = unix.PidfdSendSignal(int(fd), sig, nil, 0) }) != nil {
		return nil // closed: it has ended
	}
	if sending != nil && !errors.Is(sending, unix.ESRCH) {
		return fmt.Errorf("send %s to %s: %w", unix.SignalName(sig), s.pidfd.Name(), sending)
	}
	return nil
}

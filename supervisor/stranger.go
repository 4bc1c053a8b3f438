package supervisor

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// stranger is a process that is no child of ours. A pidfd stands for it, which
// never comes to mean another process that got the same pid (pidfd_open(2),
// Linux 5.3).
type stranger struct {
	pidfd *os.File
	done  chan struct{}
}

// openStranger returns the process that has the pid now, unix.ESRCH when there
// is none. The caller runs await.
func openStranger(pid int) (*stranger, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		// So that the runtime's poller takes it, and Close ends a wait.
		if err = unix.SetNonblock(fd, true); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open a pidfd of process %d: %w", pid, err)
	}
	return &stranger{os.NewFile(uintptr(fd), fmt.Sprintf("pidfd of %d", pid)), make(chan struct{})}, nil
}

// await returns when the process has ended or was released. It is called once.
func (s *stranger) await() {
	if conn, err := s.pidfd.SyscallConn(); err == nil {
		_ = conn.Read(readable) // an error is that it was released
	}
	s.release()
	close(s.done)
}

// release gives the process up: it is no longer waited for.
func (s *stranger) release() { s.pidfd.Close() }

// lives tells whether the process has not ended yet.
func (s *stranger) lives() bool {
	ended := true
	if conn, err := s.pidfd.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { ended = readable(fd) })
	}
	return !ended
}

// readable tells whether a pidfd's process has ended.
func readable(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}

func (s *stranger) Done() <-chan struct{} { return s.done }

func (s *stranger) outcome() (unix.WaitStatus, bool) { return 0, false }

func (s *stranger) signal(sig unix.Signal) error {
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

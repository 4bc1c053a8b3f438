package supervisor

import (
	"errors"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// watched opens a pidfd of a process; whose child it is makes no difference to a pidfd.
func watched(t *testing.T, pid int) *foreignProcess {
	t.Helper()
	s, err := openForeignProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	waiting.Go(s.await)
	t.Cleanup(func() {
		s.close()
		waiting.Wait()
	})
	return s
}

func TestForeignProcess(t *testing.T) {
	r := runReaper(t)
	child, release := held(t, r, "trap 'exit 3' USR1; read x <&3; exit 5")
	s := watched(t, child.PID)
	if err := s.sendSignal(0); err != nil || !s.alive() {
		t.Errorf("it lives: %t, %v", s.alive(), err)
	}
	release()
	waitFor(t, "its end is seen", s.Done())
	if s.alive() {
		t.Error("it is alive after its end")
	}
	waitFor(t, "its parent reaps it", child.Done())
	if err := s.sendSignal(unix.SIGKILL); err != nil {
		t.Errorf("a signal after its end: %v", err)
	}
	if _, err := openForeignProcess(child.PID); !errors.Is(err, unix.ESRCH) {
		t.Errorf("open a process that has ended: %v", err)
	}
}

func TestForeignProcessIsSignaled(t *testing.T) {
	r := runReaper(t)
	child, _ := held(t, r, "read x <&3")
	s := watched(t, child.PID)
	if err := s.sendSignal(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	waitFor(t, "its end is seen", s.Done())
	waitFor(t, "its parent reaps it", child.Done())
	if got := describe(child.Status()); got != "killed by SIGTERM" {
		t.Errorf("it ended with %s", got)
	}
}

func TestClosedForeignProcessIsLeftAlone(t *testing.T) {
	r := runReaper(t)
	child, _ := held(t, r, "read x <&3; exit 5")
	s := watched(t, child.PID)
	s.close()
	waitFor(t, "the wait ends", s.Done())
	if err := s.sendSignal(unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if child.ended() {
		t.Error("it has ended")
	}
}

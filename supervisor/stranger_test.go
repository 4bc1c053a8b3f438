package supervisor

import (
	"errors"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// watched opens a process that, to the pidfd, could be anybody's child.
func watched(t *testing.T, pid int) *stranger {
	t.Helper()
	s, err := openStranger(pid)
	if err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	waiting.Go(s.await)
	t.Cleanup(func() {
		s.release()
		waiting.Wait()
	})
	return s
}

func TestStranger(t *testing.T) {
	r := runReaper(t)
	child, release := held(t, r, "trap 'exit 3' USR1; read x <&3; exit 5")
	s := watched(t, child.PID)
	if err := s.signal(0); err != nil || !s.lives() {
		t.Errorf("it lives: %t, %v", s.lives(), err)
	}
	release()
	arrives(t, "its end is seen", s.Done())
	if s.lives() {
		t.Error("it lives after its end")
	}
	arrives(t, "its parent hears of it", child.Done())
	if err := s.signal(unix.SIGKILL); err != nil {
		t.Errorf("a signal after its end: %v", err)
	}
	if _, err := openStranger(child.PID); !errors.Is(err, unix.ESRCH) {
		t.Errorf("open a process that has ended: %v", err)
	}
}

func TestStrangerIsSignalled(t *testing.T) {
	r := runReaper(t)
	child, _ := held(t, r, "read x <&3")
	s := watched(t, child.PID)
	if err := s.signal(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	arrives(t, "its end is seen", s.Done())
	arrives(t, "its parent hears of it", child.Done())
	if got := describe(child.Status()); got != "killed by SIGTERM" {
		t.Errorf("it ended with %s", got)
	}
}

func TestReleasedStrangerIsLeftAlone(t *testing.T) {
	r := runReaper(t)
	child, _ := held(t, r, "read x <&3; exit 5")
	s := watched(t, child.PID)
	s.release()
	arrives(t, "the wait ends", s.Done())
	if err := s.signal(unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if child.ended() {
		t.Error("it has ended")
	}
}

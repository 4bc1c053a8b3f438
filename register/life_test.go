package register

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// story tells a life step by step, at times that it chooses.
type story struct {
	t    *testing.T
	life life
	now  time.Time
}

func tell(t *testing.T, commanded bool) *story {
	t.Helper()
	return &story{t: t, now: time.Unix(1000, 0), life: life{
		commanded: commanded,
		rules:     Rules{Passes: 2, Failures: 3, Drain: 5 * time.Second, Grace: 20 * time.Second, Patience: 3 * time.Second},
	}}
}

// then asserts the actions and the state that follow an event, as in "register; registered".
func (s *story) then(event string, actions []action, want string) {
	s.t.Helper()
	var words []string
	for _, a := range actions {
		word := [...]string{"register", "deregister", "forward", "kill", "exit"}[a.deed]
		if a.deed == forward {
			word += " " + unix.SignalName(a.sig)
		}
		if a.deed == exit {
			word += fmt.Sprintf(" %d", s.life.code)
		}
		words = append(words, word)
	}
	if got := strings.Join(append(words, s.life.state.String()), "; "); got != want {
		s.t.Errorf("%s: %s, want %s", event, got, want)
	}
}

// waits lets the end of the state come, which must be so much later.
func (s *story) waits(d time.Duration, want string) {
	s.t.Helper()
	if due := s.life.due.Sub(s.now); due != d {
		s.t.Errorf("%s ends in %v, want %v", s.life.state, due, d)
	}
	s.now = s.life.due
	s.then("the time is over", s.life.expired(s.now), want)
}

func (s *story) registered() *story {
	s.t.Helper()
	s.then("it passes", s.life.passed(), "waiting")
	s.then("it passes again", s.life.passed(), "register; registered")
	return s
}

func TestInstanceIsRegisteredWhileTheCheckPasses(t *testing.T) {
	s := tell(t, true)
	s.then("it fails", s.life.failed(), "waiting")
	s.then("it passes", s.life.passed(), "waiting")
	s.then("it fails again: passes must be in a row", s.life.failed(), "waiting")
	s.registered()
	s.then("a failure", s.life.failed(), "registered")
	s.then("another", s.life.failed(), "registered")
	s.then("a pass between", s.life.passed(), "registered")
	s.then("a failure", s.life.failed(), "registered")
	s.then("another", s.life.failed(), "registered")
	s.then("a third in a row", s.life.failed(), "deregister; failing")
	s.then("the node is gone", s.life.gone(s.now), "failing")
	s.then("it fails on", s.life.failed(), "failing")
	s.then("it passes", s.life.passed(), "failing")
	s.then("it passes again", s.life.passed(), "register; registered")
}

func TestStopDeregistersDrainsForwardsAndKills(t *testing.T) {
	s := tell(t, true).registered()
	s.then("TERM", s.life.signaled(unix.SIGTERM, s.now), "deregister; deregistering")
	s.then("HUP is passed on", s.life.signaled(unix.SIGHUP, s.now), "forward SIGHUP; deregistering")
	s.now = s.now.Add(time.Second)
	s.then("the node is gone", s.life.gone(s.now), "draining")
	s.then("the check fails meanwhile", s.life.failed(), "draining")
	s.waits(5*time.Second, "forward SIGTERM; terminating")
	s.waits(20*time.Second, "kill; killing")
	s.then("the command ends", s.life.ended(137, s.now), "exit 137; done")
}

func TestStopWithoutZooKeeperContinues(t *testing.T) {
	s := tell(t, true).registered()
	s.then("INT", s.life.signaled(unix.SIGINT, s.now), "deregister; deregistering")
	s.waits(3*time.Second, "draining")
	s.waits(5*time.Second, "forward SIGINT; terminating")
	s.then("the command ends", s.life.ended(0, s.now), "exit 0; done")
}

func TestSecondSignalHurries(t *testing.T) {
	s := tell(t, true).registered()
	s.then("TERM", s.life.signaled(unix.SIGTERM, s.now), "deregister; deregistering")
	s.then("TERM again", s.life.signaled(unix.SIGTERM, s.now), "forward SIGTERM; terminating")
	s.then("and again", s.life.signaled(unix.SIGINT, s.now), "forward SIGINT; terminating")
	s.then("the command ends", s.life.ended(3, s.now), "exit 3; done")

	s = tell(t, true).registered()
	s.then("TERM", s.life.signaled(unix.SIGTERM, s.now), "deregister; deregistering")
	s.then("the node is gone", s.life.gone(s.now), "draining")
	s.then("INT", s.life.signaled(unix.SIGINT, s.now), "forward SIGTERM; terminating")
}

func TestStopOfInstanceThatWasNeverRegistered(t *testing.T) {
	s := tell(t, true)
	s.then("TERM", s.life.signaled(unix.SIGTERM, s.now), "forward SIGTERM; terminating")
	s.then("the command ends", s.life.ended(143, s.now), "exit 143; done")
}

// What has drained while the check failed need not drain again.
func TestStopOfFailingInstance(t *testing.T) {
	fails := func(s *story) {
		for range 3 {
			s.life.failed()
		}
	}
	s := tell(t, true).registered()
	fails(s)
	s.then("the node is gone", s.life.gone(s.now), "failing")
	s.now = s.now.Add(2 * time.Second)
	s.then("TERM", s.life.signaled(unix.SIGTERM, s.now), "draining")
	s.waits(3*time.Second, "forward SIGTERM; terminating")

	s = tell(t, true).registered()
	fails(s)
	s.then("the node is gone", s.life.gone(s.now), "failing")
	s.now = s.now.Add(time.Minute)
	s.then("TERM", s.life.signaled(unix.SIGTERM, s.now), "forward SIGTERM; terminating")

	s = tell(t, true).registered()
	fails(s)
	s.then("TERM before the node is gone", s.life.signaled(unix.SIGTERM, s.now), "deregister; deregistering")
}

func TestSidecarDrainsBeforeItEnds(t *testing.T) {
	s := tell(t, false).registered()
	s.then("TERM", s.life.signaled(unix.SIGTERM, s.now), "deregister; deregistering")
	s.then("the node is gone", s.life.gone(s.now), "draining")
	s.waits(5*time.Second, "exit 0; done")
}

func TestCommandThatEndsByItselfIsDeregisteredAtOnce(t *testing.T) {
	s := tell(t, true).registered()
	s.then("the command ends", s.life.ended(7, s.now), "deregister; leaving")
	s.then("the check fails", s.life.failed(), "leaving")
	s.then("HUP", s.life.signaled(unix.SIGHUP, s.now), "leaving")
	s.then("the node is gone", s.life.gone(s.now), "exit 7; done")

	s = tell(t, true).registered()
	s.then("the command ends", s.life.ended(7, s.now), "deregister; leaving")
	s.waits(3*time.Second, "exit 7; done")

	s = tell(t, true)
	s.then("the command ends before it was registered", s.life.ended(1, s.now), "exit 1; done")

	s = tell(t, true).registered()
	s.then("TERM", s.life.signaled(unix.SIGTERM, s.now), "deregister; deregistering")
	s.then("the command ends", s.life.ended(0, s.now), "deregister; leaving")
	s.then("TERM again", s.life.signaled(unix.SIGTERM, s.now), "exit 0; done")
}

func TestCommandThatSurvivesSIGKILLIsLeftBehind(t *testing.T) {
	s := tell(t, true)
	s.then("TERM", s.life.signaled(unix.SIGTERM, s.now), "forward SIGTERM; terminating")
	s.waits(20*time.Second, "kill; killing")
	s.waits(3*time.Second, "exit 137; done")
}

package hactl

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestWrongReplyIsReadBackAndSentAgain(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 5))
	s.set("web", 1)
	s.serve(t)
	w := s.ha.worker(0)
	w.refuse("web2 state ready", 1)
	s.set("web", 1, 2, 3)
	s.serves(t, "all the same", "web", 1, 2, 3, 0, 0)
	all := write(enters("web/web2", 2), enters("web/web3", 3))
	same(t, "writes to the one that refused", [][]string{all, {"set server web/web2 state ready", "show info"}}, w.changes())
	same(t, "reads of its state", 1, w.asked("show servers state"))
	same(t, "writes to the other one", [][]string{all}, s.ha.worker(1).changes())
	s.endsWith(t, "start")
}

func TestWorkerThatGoesOnRefusingIsReplaced(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1)
	s.serve(t)
	old := s.ha.worker(0)
	old.refuse("state ready", 1000)
	s.set("web", 1, 2)
	becomes(t, "reloads", []string{"start", "worker does not answer"}, s.ha.causes)
	s.serves(t, "all workers", "web", 1, 2, 0)
	same(t, "writes before it was given up: twice two", 4, len(old.changes()))
	s.endsWith(t, "start", "worker does not answer")
}

// What was asked of the one that hung waits on its socket, which the next one is
// given.
func TestCommandsThatComeLateAreUndone(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Timeout = 100 * time.Millisecond
	s.set("web", 1, 2)
	s.serve(t)
	s.ha.meet(func() { s.ha.unread = leaves("web/web1") })
	s.ha.worker(0).stopAnswering(false)
	s.set("web", 1, 2, 3)
	becomes(t, "reloads", []string{"start", "worker does not answer"}, s.ha.causes)
	s.serves(t, "all workers", "web", 1, 2, 3)
	same(t, "nobody's wish", 0, len(s.Snapshot().Remarks))
	s.endsWith(t, "start", "worker does not answer")
}

func TestCommandsThatComeLateAreUndoneWhateverTheReloadIsFor(t *testing.T) {
	t.Parallel()
	for cause, reload := range map[string]func(*testing.T, *story){
		"configuration": func(t *testing.T, s *story) {
			staged := s.Stage(Layout{Template: s.Template, Frame: s.Frame, Backends: []Backend{backendOf("web", 5)}})
			staged.SetGroup(registry.Group{Name: "web", Instances: instances(1, 2, 3)})
			s.hear()
			s.convert(t.Context())
		},
		"worker died": func(t *testing.T, s *story) {
			s.bury(s.workers[0].pid)
			if err := s.reload(t.Context(), s.reloadCause); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, backendOf("web", 3))
			s.Timeout = 100 * time.Millisecond
			s.set("web", 1, 2)
			s.launch(t)
			s.ha.meet(func() { s.ha.unread = leaves("web/web1") })
			s.ha.worker(0).stopAnswering(false)
			s.set("web", 1, 2, 3)
			s.takeIn(t)
			reload(t, s)
			same(t, "reloads", []string{"start", cause}, s.ha.causes())
			same(t, "serving", []int{1, 2, 3}, s.ha.serving("web")[0][:3])
			same(t, "nobody's wish", 0, len(s.Snapshot().Remarks))
		})
	}
}

// The mark that tells ours from an operator's may be gone by the time they are found.
func TestCommandsThatComeLateAreNobodysWish(t *testing.T) {
	t.Parallel()
	for name, unmarked := range map[string][]string{
		"maint":  {"set server web/web1 weight 100%"},
		"weight": {"set server web/web1 state ready"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, backendOf("web", 3))
			s.Timeout = 100 * time.Millisecond
			s.set("web", 1, 2)
			s.launch(t)
			s.ha.meet(func() { s.ha.unread = append(leaves("web/web1"), unmarked...) })
			s.ha.worker(0).stopAnswering(false)
			for _, registered := range [][]int{{2}, {1, 2}} {
				s.set("web", registered...)
				s.takeIn(t)
			}
			if err := s.reload(t.Context(), s.reloadCause); err != nil {
				t.Fatal(err)
			}
			same(t, "reloads", []string{"start", "worker does not answer"}, s.ha.causes())
			same(t, "serving", []int{1, 2, 0}, s.ha.serving("web")[0])
			same(t, "weight", Weight(0), s.groups[0].table.Slots[0].Weight)
			same(t, "nobody's wish", 0, len(s.Snapshot().Remarks))
		})
	}
}

// What an operator did to others than those stays his.
func TestOperatorsWishBesideCommandsThatComeLate(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Timeout = 100 * time.Millisecond
	s.set("web", 1, 2)
	s.serve(t)
	s.ha.meet(func() { s.ha.unread = append(leaves("web/web3"), "set server web/web2 state maint") })
	s.ha.worker(0).stopAnswering(false)
	s.set("web", 1, 2, 3)
	becomes(t, "reloads", []string{"start", "worker does not answer"}, s.ha.causes)
	becomes(t, "ready", true, s.isReady)
	for i := range 2 {
		w := s.ha.worker(i)
		becomes(t, "his wish", "10.0.0.2:80 maint", func() string { return w.show("web/web2") })
		becomes(t, "ours", "10.0.0.3:80 ready", func() string { return w.show("web/web3") })
	}
	s.endsWith(t, "start", "worker does not answer")
}

func TestWorkerThatHangsIsReplaced(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Timeout = 100 * time.Millisecond
	s.set("web", 1)
	s.serve(t)
	release := s.ha.holdReload()
	hanging, other := s.ha.worker(1), s.ha.worker(0)
	hanging.stopAnswering(false)
	s.set("web", 1, 2)
	becomes(t, "the other one is served meanwhile", []int{1, 2, 0}, func() []int { return other.serving("web") })
	becomes(t, "reloads", []string{"start", "worker does not answer"}, s.ha.causes)
	if s.isReady() {
		t.Error("ready although a worker does not answer")
	}
	becomes(t, "connections that hung", maxFailures, hanging.hanging)
	applied := func() float64 { return s.metric(t, "haproxyzk_apply_duration_seconds") }
	same(t, "applied in all workers", 1, applied())
	release()
	s.serves(t, "all workers", "web", 1, 2, 0)
	becomes(t, "applied in all workers", 2, applied)
	becomes(t, "ready", true, s.isReady)
	s.endsWith(t, "start", "worker does not answer")
}

func TestWorkerThatHangsIsFoundWhileNothingChanges(t *testing.T) {
	t.Parallel()
	for name, often := range map[string]func(*story) *time.Duration{
		"by the sweep": func(s *story) *time.Duration { return &s.Sweep },
		"by its beat":  func(s *story) *time.Duration { return &s.Beat },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, backendOf("web", 3))
			s.Timeout = 500 * time.Millisecond
			*often(s) = 20 * time.Millisecond
			s.set("web", 1)
			s.serve(t)
			s.ha.worker(1).stopAnswering(false)
			becomes(t, "reloads", []string{"start", "worker does not answer"}, s.ha.causes)
			becomes(t, "ready", true, s.isReady)
			s.endsWith(t, "start", "worker does not answer")
		})
	}
}

func TestSweepWaitsForAWorkerOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Timeout = 100 * time.Millisecond
	s.set("web", 1)
	s.launch(t)
	w := s.ha.worker(0)
	w.stopAnswering(false)
	s.sweep(t.Context())
	s.beat(t.Context())
	becomes(t, "connections that hung", 1, w.hanging)
}

// One beat that is missed is not held against a worker.
func TestBeatThatIsMissed(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Beat, s.Timeout = 20*time.Millisecond, 500*time.Millisecond
	s.set("web", 1)
	s.serve(t)
	w := s.ha.worker(1)
	release := w.stopAnswering(true)
	becomes(t, "hangs", 1, w.hanging)
	reads := w.asked("show servers state")
	release()
	becomes(t, "it is looked at", true, func() bool { return w.asked("show servers state") > reads })
	s.set("web", 1, 2)
	s.serves(t, "it goes on", "web", 1, 2, 0)
	s.endsWith(t, "start")
}

func TestWorkerThatHungOnceIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Timeout = 500 * time.Millisecond
	s.set("web", 1)
	s.serve(t)
	w := s.ha.worker(1)
	release := w.stopAnswering(true)
	s.set("web", 1, 2)
	becomes(t, "hangs", 1, w.hanging)
	release()
	s.set("web", 2, 3)
	s.serves(t, "what is registered now", "web", 0, 2, 3)
	s.endsWith(t, "start")
}

func TestNothingIsBelievedOfAnOlderProcess(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.ha.shared = 2 // a stranger, at the start
	s.set("web", 1)
	s.serve(t)
	socket, older := s.ha.sockets[0], newFakeWorker(7, []byte("backend web\n server web1 10.0.0.1:80 disabled\n server-template web 2-3 10.0.0.9:80"))

	socket.lend(older, 5)
	s.set("web", 1, 2)
	s.serves(t, "when it took the commands", "web", 1, 2, 0)
	same(t, "connections left to the older one", 0, socket.left())
	same(t, "its commands", 1, len(older.changes()))

	reads := older.asked("show servers state")
	// What it has looks like an operator's maint and like drift.
	socket.lend(older, 1)
	s.ha.meet(func() { s.ha.shared = 3 })
	s.ha.kill(1)
	becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
	s.serves(t, "after a reload with the older one about", "web", 1, 2, 0)
	same(t, "reads of its state", reads+1, older.asked("show servers state"))
	same(t, "drift", 0, s.metric(t, "haproxyzk_drift_repaired_total"))
	s.endsWith(t, "start", "worker died")
}

func TestSweepRepairsDrift(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Sweep = 20 * time.Millisecond
	s.set("web", 1, 2)
	s.serve(t)
	w := s.ha.worker(0)
	w.do("set server web/web1 addr 10.9.9.9 port 80", "set server web/web3 addr 10.9.9.8 port 80", "set server web/web3 state ready")
	s.serves(t, "as it was", "web", 1, 2, 0)
	same(t, "the wrong address", "10.0.0.1:80 ready", w.show("web/web1"))
	same(t, "writes to the one that was changed", [][]string{write([]string{"set server web/web1 state maint"}, enters("web/web1", 1), leaves("web/web3"))}, w.changes())
	same(t, "writes to the other one", nil, s.ha.worker(1).changes())
	becomes(t, "drift", 2, func() float64 { return s.metric(t, "haproxyzk_drift_repaired_total") })
	s.endsWith(t, "start")
}

func TestOperatorsStateIsKept(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"drain", "maint"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, backendOf("web", 3))
			s.Sweep = 20 * time.Millisecond
			s.set("web", 1, 2)
			s.serve(t)
			one := func(want string, commands ...string) {
				t.Helper()
				for i := range 2 {
					w := s.ha.worker(i)
					becomes(t, "the operator's server", "10.0.0.1:80 "+want, func() string { return w.show("web/web1") })
				}
				var writes [][]string
				if len(commands) > 0 {
					writes = [][]string{append(commands, "show info")}
				}
				same(t, "writes to the other worker", writes, s.ha.worker(1).changes())
			}
			s.ha.worker(0).do("set server web/web1 state " + state)
			one(state, "set server web/web1 state "+state)
			same(t, "writes to the operator's worker", nil, s.ha.worker(0).changes())

			s.ha.kill(0)
			becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
			same(t, "rendered", "server web1 10.0.0.1:80 check disabled", s.ha.rendered("web1"))
			if state == "drain" {
				one(state, "set server web/web1 state drain")
			} else {
				one(state)
			}
			s.serves(t, "the others go on", "web", 0, 2, 0)

			before := len(s.ha.worker(1).changes())
			s.ha.worker(0).do("set server web/web1 state ready")
			s.serves(t, "the operator ends it", "web", 1, 2, 0)
			same(t, "writes to the other worker", [][]string{{"set server web/web1 state ready", "show info"}}, s.ha.worker(1).changes()[before:])
			same(t, "drift", 0, s.metric(t, "haproxyzk_drift_repaired_total"))
			s.ha.kill(1)
			becomes(t, "reloads", 3, func() int { return len(s.ha.causes()) })
			same(t, "rendered", "server web1 10.0.0.1:80 check", s.ha.rendered("web1"))
			s.serves(t, "nothing is left of it", "web", 1, 2, 0)
			s.endsWith(t, "start", "worker died", "worker died")
		})
	}
}

func TestOperatorsStateIsNotInherited(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 1))
	s.Sweep = 20 * time.Millisecond
	s.set("web", 1)
	s.serve(t)
	leave := func() {
		s.ha.worker(0).do("set server web/web1 state drain")
		other := s.ha.worker(1)
		becomes(t, "the other worker follows", "10.0.0.1:80 drain", func() string { return other.show("web/web1") })
		s.set("web")
		becomes(t, "out of service", "10.0.0.1:80 maint", func() string { return other.show("web/web1") })
	}
	leave()
	s.set("web", 1)
	s.serves(t, "the same instance, registered anew", "web", 1)
	leave()
	before := s.ha.worker(0).counted("web")
	becomes(t, "its sessions were counted", before+1, func() int { return s.ha.worker(0).counted("web") })
	s.set("web", 2)
	s.serves(t, "another one in its slot", "web", 2)
	s.endsWith(t, "start")
}

func TestOperatorsWeightLeavesWithTheInstance(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Sweep = 20 * time.Millisecond
	s.set("web", 1)
	s.serve(t)
	w := s.ha.worker(0)
	w.do("set server web/web1 weight 30")
	s.set("web", 1, 2)
	s.serves(t, "another one enters", "web", 1, 2, 0)
	same(t, "weight", 30, w.weight("web/web1"))
	s.set("web", 2)
	s.serves(t, "it leaves", "web", 0, 2, 0)
	s.set("web", 1, 2)
	s.serves(t, "it registers anew", "web", 1, 2, 0)
	same(t, "weight", 1, w.weight("web/web1"))
	s.endsWith(t, "start")
}

// Who was doubted when its group was lost, and is registered again, is nobody who
// was found dead: no reload keeps it from its first check for ever.
func TestReloadBelievesWhoIsRegisteredAgain(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.launch(t)
	table := s.groups[0].table
	table.Assign(instances(2, 3))
	table.doubted = map[registry.Instance]bool{instances(1)[0]: true}
	table.Assign(instances(1, 2, 3))
	rendered := func(what, first string) {
		t.Helper()
		for i := range 2 {
			s.ha.worker(i).do("set server web/web1 health down", "set server web/web2 health down") // as it begins, and as found
		}
		if err := s.reload(t.Context(), "signal"); err != nil {
			t.Fatal(err)
		}
		same(t, what, first, s.ha.rendered("web1"))
		same(t, "found dead", "none", s.ha.rendered("web2"))
	}
	rendered("while it is held", "none")
	table.doubted = nil
	rendered("when it is registered", "server web1 10.0.0.1:80 check")
}

func TestReloadDoesNotReviveTheDead(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.serve(t)
	for i := range 2 {
		s.ha.worker(i).do("set server web/web1 health down")
	}
	s.ha.worker(0).do("set server web/web2 health down") // alive for the other one
	s.set("web", 1, 2, 3, 4)
	s.serves(t, "all", "web", 1, 2, 3, 4, 0, 0)
	same(t, "rendered, dead for all", "none", s.ha.rendered("web1"))
	same(t, "rendered, dead for one", "server web2 10.0.0.2:80 check", s.ha.rendered("web2"))
	for i := range 2 {
		w := s.ha.worker(i)
		same(t, "dead for all", "10.0.0.1:80 down", w.show("web/web1"))
		same(t, "dead for one", "10.0.0.2:80 ready", w.show("web/web2"))
		same(t, "writes", [][]string{write(enters("web/web1", 1), []string{"set server web/web1 health down"})}, w.changes())
	}
	s.endsWith(t, "start", "slots")
}

// A daemon that ends before it has told new workers who is dead leaves nothing
// that the next one takes for an operator's.
func TestTakeoverRightAfterAReload(t *testing.T) {
	t.Parallel()
	first := newStory(t, backendOf("web", 3))
	first.set("web", 1, 2)
	first.launch(t)
	for i := range 2 {
		first.ha.worker(i).do("set server web/web1 health down")
	}
	if err := first.reload(t.Context(), "signal"); err != nil {
		t.Fatal(err)
	}
	s := newStory(t, backendOf("web", 3))
	s.runs(string(first.ha.launches[1].Config))
	s.set("web", 1, 2)
	s.serve(t)
	s.serves(t, "both", "web", 1, 2, 0)
	same(t, "nobody's wish", 0, len(s.Snapshot().Remarks))
	s.endsWith(t, "start")
}

func TestHealthIsThatOfTheWorkersThatAnswer(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2)
	s.launch(t)
	s.ha.worker(1).do("set server web/web1 health down")
	s.workers[0].failures = maxFailures // it was alive when it was last heard
	if err := s.reload(t.Context(), "worker does not answer"); err != nil {
		t.Fatal(err)
	}
	same(t, "rendered", "none", s.ha.rendered("web1"))
}

func TestNewInstanceWaitsForItsCheck(t *testing.T) {
	t.Parallel()
	b := backendOf("web", 3)
	b.WaitCheck = true
	s := newStory(t, b)
	s.Sweep = 20 * time.Millisecond
	s.set("web", 1)
	s.serve(t)
	same(t, "rendered", "none", s.ha.rendered("web1"))
	s.set("web", 1, 2)
	s.serves(t, "both", "web", 1, 2, 0)
	for i := range 2 {
		w := s.ha.worker(i)
		same(t, "writes", [][]string{
			write(enters("web/web1", 1), []string{"set server web/web1 health down"}),
			write(enters("web/web2", 2), []string{"set server web/web2 health down"}),
		}, w.changes())
		same(t, "until its check", "10.0.0.2:80 down", w.show("web/web2"))
	}
	s.ha.worker(0).do("set server web/web2 health up") // the check was good
	becomes(t, "swept", true, func() bool { return s.ha.worker(1).asked("show servers state") > 1 })
	seen := s.ha.worker(0).asked("show servers state")
	becomes(t, "swept again", true, func() bool { return s.ha.worker(0).asked("show servers state") > seen+1 })
	s.ha.kill(1)
	becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
	same(t, "rendered, still to be checked", "none", s.ha.rendered("web1"))
	same(t, "rendered, alive", "server web2 10.0.0.2:80 check", s.ha.rendered("web2"))
}

func TestCountingSessionsWaitsForAWorkerOnce(t *testing.T) {
	t.Parallel()
	var backends []Backend
	for name := range strings.SplitSeq("abcdefghij", "") {
		backends = append(backends, backendOf(name, 2))
	}
	s := newStory(t, backends...)
	s.Timeout = 100 * time.Millisecond
	if err := s.reload(t.Context(), "start"); err != nil {
		t.Fatal(err)
	}
	for _, g := range s.groups {
		g.table.Assign(instances(1))
		g.table.Assign(nil)
	}
	w := s.ha.worker(0)
	w.stopAnswering(false)
	s.release(t.Context())
	becomes(t, "connections that hung", 1, w.hanging)
	same(t, "draining: not known to be at rest", []int{0}, s.groups[0].table.Draining())
	if s.releaseAt.IsZero() {
		t.Error("sessions are not to be counted again")
	}
}

func TestWorkerThatComesBackIsServedWhileReloadsFail(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Timeout = 100 * time.Millisecond
	s.set("web", 1)
	s.serve(t)
	w := s.ha.worker(0)
	release := w.stopAnswering(false)
	s.ha.meet(func() { s.ha.fail = errors.New("refused") })
	s.set("web", 1, 2)
	becomes(t, "reloads", true, func() bool { return len(s.ha.causes()) > 1 })
	release()
	s.serves(t, "what runs", "web", 1, 2, 0)
	if s.isReady() {
		t.Error("ready although a reload has failed")
	}
}

func TestOperatorsStateThatIsFoundOnAWorkerThatHungIsKept(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Timeout = 500 * time.Millisecond
	s.set("web", 1, 2)
	s.serve(t)
	w := s.ha.worker(1)
	w.do("set server web/web1 state drain") // nobody has swept since
	release := w.stopAnswering(true)
	s.set("web", 1, 2, 3)
	becomes(t, "hangs", 1, w.hanging)
	release()
	for i := range 2 {
		worker := s.ha.worker(i)
		becomes(t, "the operator's server", "10.0.0.1:80 drain", func() string { return worker.show("web/web1") })
		becomes(t, "who entered", "10.0.0.3:80 ready", func() string { return worker.show("web/web3") })
	}
	becomes(t, "told", 1, func() int { return len(s.Snapshot().Remarks) })
	s.endsWith(t, "start")
}

func TestOperatorsWeightReachesAllWorkers(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.Sweep = 20 * time.Millisecond
	s.set("web", 1, 2, 3)
	s.serve(t)
	weigh := func(server string, want int) {
		t.Helper()
		for i := range 2 {
			w := s.ha.worker(i)
			becomes(t, "weight", want, func() int { return w.weight(server) })
		}
	}
	s.ha.worker(1).do("set server web/web1 weight 30", "set server web/web2 weight 0")
	weigh("web/web1", 30)
	weigh("web/web2", 0)
	same(t, "writes to the operator's worker", nil, s.ha.worker(1).changes())
	s.ha.kill(0)
	becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
	same(t, "rendered, with another weight", "server web1 10.0.0.1:80 check", s.ha.rendered("web1"))
	same(t, "rendered, without any", "server web2 10.0.0.2:80 check disabled", s.ha.rendered("web2"))
	weigh("web/web1", 30)
	weigh("web/web2", 0)
	s.serves(t, "all are in service", "web", 1, 2, 3)
	s.ha.worker(0).do("set server web/web1 weight 100%", "set server web/web2 weight 100%")
	weigh("web/web1", 1)
	weigh("web/web2", 1)
	same(t, "drift", 0, s.metric(t, "haproxyzk_drift_repaired_total"))
	becomes(t, "told", 0, func() int { return len(s.Snapshot().Remarks) })
	s.endsWith(t, "start", "worker died")
}

func TestAgentsWeightIsNobodysWish(t *testing.T) {
	t.Parallel()
	b := backendOf("web", 2)
	b.Servers.Params = append(b.Servers.Params, "agent-check", "agent-port", "8000")
	s := newStory(t, b)
	s.Sweep = 20 * time.Millisecond
	s.set("web", 1)
	s.serve(t)
	s.ha.worker(1).do("set server web/web1 weight 30")
	before := s.ha.worker(0).asked("show servers state")
	becomes(t, "swept", true, func() bool { return s.ha.worker(0).asked("show servers state") > before+1 })
	s.set("web", 1, 2)
	s.serves(t, "another one enters", "web", 1, 2)
	same(t, "weight", 1, s.ha.worker(0).weight("web/web1"))
	same(t, "weight of the agent", 30, s.ha.worker(1).weight("web/web1"))
	s.endsWith(t, "start")
}

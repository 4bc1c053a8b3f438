package hactl

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestUnexpectedReplyIsReadBackAndRetried(t *testing.T) {
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

func TestWorkerRejectingCommandsIsReplaced(t *testing.T) {
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

// Commands sent to the hung worker wait on its socket, which the next worker inherits.
func TestLateCommandsAreUndone(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.with(func(o *Options) { o.Timeout = 100 * time.Millisecond })
	s.set("web", 1, 2)
	s.serve(t)
	s.ha.meet(func() { s.ha.unread = leaves("web/web1") })
	s.ha.worker(0).stopAnswering(false)
	s.set("web", 1, 2, 3)
	becomes(t, "reloads", []string{"start", "worker does not answer"}, s.ha.causes)
	s.serves(t, "all workers", "web", 1, 2, 3)
	same(t, "no override", 0, len(s.Snapshot().Remarks))
	s.endsWith(t, "start", "worker does not answer")
}

func TestLateCommandsAreUndoneForEveryReloadCause(t *testing.T) {
	t.Parallel()
	for cause, reload := range map[string]func(*testing.T, *story){
		"configuration": func(t *testing.T, s *story) {
			staged := s.Stage(Layout{Template: s.options.Template, Frame: s.options.Frame, Backends: []haproxy.Backend{backendOf("web", 5)}})
			staged.SetGroup(registry.Group{Name: "web", Instances: instances(1, 2, 3)})
			s.takeRequests()
			s.convert(t.Context(), s.desired.change, CauseConfiguration)
		},
		"worker died": func(t *testing.T, s *story) {
			s.replaceDead(s.fleet.workers[0].pid)
			if err := s.replaceGeneration(t.Context(), s.wanted()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, backendOf("web", 3))
			s.with(func(o *Options) { o.Timeout = 100 * time.Millisecond })
			s.set("web", 1, 2)
			s.launch(t)
			s.ha.meet(func() { s.ha.unread = leaves("web/web1") })
			s.ha.worker(0).stopAnswering(false)
			s.set("web", 1, 2, 3)
			s.takeIn(t)
			reload(t, s)
			same(t, "reloads", []string{"start", cause}, s.ha.causes())
			same(t, "serving", []int{1, 2, 3}, s.ha.serving("web")[0][:3])
			same(t, "no override", 0, len(s.Snapshot().Remarks))
		})
	}
}

// The weight that marks our maintenance may be overwritten by the time the late
// commands are found.
func TestLateCommandsAreNotOperatorOverrides(t *testing.T) {
	t.Parallel()
	for name, unmarked := range map[string][]string{
		"maint":  {"set server web/web1 weight 100%"},
		"weight": {"set server web/web1 state ready"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, backendOf("web", 3))
			s.with(func(o *Options) { o.Timeout = 100 * time.Millisecond })
			s.set("web", 1, 2)
			s.launch(t)
			s.ha.meet(func() { s.ha.unread = append(leaves("web/web1"), unmarked...) })
			s.ha.worker(0).stopAnswering(false)
			for _, registered := range [][]int{{2}, {1, 2}} {
				s.set("web", registered...)
				s.takeIn(t)
			}
			if err := s.replaceGeneration(t.Context(), s.wanted()); err != nil {
				t.Fatal(err)
			}
			same(t, "reloads", []string{"start", "worker does not answer"}, s.ha.causes())
			same(t, "serving", []int{1, 2, 0}, s.ha.serving("web")[0])
			same(t, "weight", haproxy.Weight(0), s.table(0).Slots[0].Weight)
			same(t, "no override", 0, len(s.Snapshot().Remarks))
		})
	}
}

// An operator's override of other servers is kept.
func TestOperatorOverrideBesideLateCommandsIsKept(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.with(func(o *Options) { o.Timeout = 100 * time.Millisecond })
	s.set("web", 1, 2)
	s.serve(t)
	s.ha.meet(func() { s.ha.unread = append(leaves("web/web3"), "set server web/web2 state maint") })
	s.ha.worker(0).stopAnswering(false)
	s.set("web", 1, 2, 3)
	becomes(t, "reloads", []string{"start", "worker does not answer"}, s.ha.causes)
	becomes(t, "ready", true, s.isReady)
	for i := range 2 {
		w := s.ha.worker(i)
		becomes(t, "override", "10.0.0.2:80 maint", func() string { return w.show("web/web2") })
		becomes(t, "ours", "10.0.0.3:80 ready", func() string { return w.show("web/web3") })
	}
	s.endsWith(t, "start", "worker does not answer")
}

func TestHungWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.with(func(o *Options) { o.Timeout = 100 * time.Millisecond })
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

func TestHeartbeatFindsHungWorker(t *testing.T) {
	t.Parallel()
	for name, often := range map[string]func(*Options) *time.Duration{
		"by the resync":    func(o *Options) *time.Duration { return &o.Resync },
		"by the heartbeat": func(o *Options) *time.Duration { return &o.Heartbeat },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, backendOf("web", 3))
			s.with(func(o *Options) { o.Timeout, *often(o) = 500*time.Millisecond, 20*time.Millisecond })
			s.set("web", 1)
			s.serve(t)
			s.ha.worker(1).stopAnswering(false)
			becomes(t, "reloads", []string{"start", "worker does not answer"}, s.ha.causes)
			becomes(t, "ready", true, s.isReady)
			s.endsWith(t, "start", "worker does not answer")
		})
	}
}

func TestResyncWaitsForHungWorkerOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.with(func(o *Options) { o.Timeout = 100 * time.Millisecond })
	s.set("web", 1)
	s.launch(t)
	w := s.ha.worker(0)
	w.stopAnswering(false)
	s.resync(t.Context())
	s.fleet.heartbeat(t.Context())
	becomes(t, "connections that hung", 1, w.hanging)
}

// One beat that is missed is not held against a worker.
func TestSingleMissedHeartbeatIsTolerated(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.with(func(o *Options) { o.Heartbeat, o.Timeout = 20*time.Millisecond, 500*time.Millisecond })
	s.set("web", 1)
	s.serve(t)
	w := s.ha.worker(1)
	release := w.stopAnswering(true)
	becomes(t, "hangs", 1, w.hanging)
	reads := w.asked("show servers state")
	release()
	becomes(t, "read again", true, func() bool { return w.asked("show servers state") > reads })
	s.set("web", 1, 2)
	s.serves(t, "still serving", "web", 1, 2, 0)
	s.endsWith(t, "start")
}

func TestRecoveredWorkerIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.with(func(o *Options) { o.Timeout = 500 * time.Millisecond })
	s.set("web", 1)
	s.serve(t)
	w := s.ha.worker(1)
	release := w.stopAnswering(true)
	s.set("web", 1, 2)
	becomes(t, "hangs", 1, w.hanging)
	release()
	s.set("web", 2, 3)
	s.serves(t, "latest registrations", "web", 0, 2, 3)
	s.endsWith(t, "start")
}

func TestReplyOfAnOlderProcessIsIgnored(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.ha.shared = 2 // a foreign process answers at the start
	s.set("web", 1)
	s.serve(t)
	socket, older := s.ha.sockets[0], newFakeWorker(7, []byte("backend web\n server web1 10.0.0.1:80 disabled\n server-template web 2-3 10.0.0.9:80"))

	socket.lend(older, 5)
	s.set("web", 1, 2)
	s.serves(t, "when it took the commands", "web", 1, 2, 0)
	same(t, "connections left to the older one", 0, socket.left())
	same(t, "its commands", 1, len(older.changes()))

	reads := older.asked("show servers state")
	// Its state looks like an operator's maintenance, and like drift.
	socket.lend(older, 1)
	s.ha.meet(func() { s.ha.shared = 3 })
	s.ha.kill(1)
	becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
	s.serves(t, "after a reload with the older one about", "web", 1, 2, 0)
	same(t, "reads of its state", reads+1, older.asked("show servers state"))
	same(t, "drift", 0, s.metric(t, "haproxyzk_drift_repaired_total"))
	s.endsWith(t, "start", "worker died")
}

func TestResyncRepairsDrift(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.with(func(o *Options) { o.Resync = 20 * time.Millisecond })
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

func TestOperatorStateIsKept(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"drain", "maint"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, backendOf("web", 3))
			s.with(func(o *Options) { o.Resync = 20 * time.Millisecond })
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
			same(t, "rendered", "server web1 10.0.0.1:80 check disabled", s.ha.renderedLine("web1"))
			if state == "drain" {
				one(state, "set server web/web1 state drain")
			} else {
				one(state)
			}
			s.serves(t, "others still serve", "web", 0, 2, 0)

			before := len(s.ha.worker(1).changes())
			s.ha.worker(0).do("set server web/web1 state ready")
			s.serves(t, "the operator ends it", "web", 1, 2, 0)
			same(t, "writes to the other worker", [][]string{{"set server web/web1 state ready", "show info"}}, s.ha.worker(1).changes()[before:])
			same(t, "drift", 0, s.metric(t, "haproxyzk_drift_repaired_total"))
			s.ha.kill(1)
			becomes(t, "reloads", 3, func() int { return len(s.ha.causes()) })
			same(t, "rendered", "server web1 10.0.0.1:80 check", s.ha.renderedLine("web1"))
			s.serves(t, "fully undone", "web", 1, 2, 0)
			s.endsWith(t, "start", "worker died", "worker died")
		})
	}
}

func TestOperatorStateIsNotInheritedByNextInstance(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 1))
	s.with(func(o *Options) { o.Resync = 20 * time.Millisecond })
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

func TestOperatorWeightEndsWithTheInstance(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.with(func(o *Options) { o.Resync = 20 * time.Millisecond })
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

// An instance that was unverified when its group was lost, and has registered again,
// was not found down: reloads must not delay its first check forever.
func TestReloadDoesNotDelayReregisteredInstance(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.launch(t)
	table := s.table(0)
	table.Assign(instances(2, 3), time.Now())
	table.Unverified = map[registry.Instance]bool{instances(1)[0]: true}
	table.Assign(instances(1, 2, 3), time.Now())
	rendersFirst := func(what, first string) {
		t.Helper()
		for i := range 2 {
			s.ha.worker(i).do("set server web/web1 health down", "set server web/web2 health down") // initially, and as found
		}
		if err := s.replaceGeneration(t.Context(), "signal"); err != nil {
			t.Fatal(err)
		}
		same(t, what, first, s.ha.renderedLine("web1"))
		same(t, "found dead", "none", s.ha.renderedLine("web2"))
	}
	rendersFirst("while it is held", "none")
	table.Unverified = nil
	rendersFirst("when it is registered", "server web1 10.0.0.1:80 check")
}

func TestReloadDoesNotReviveTheDead(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.serve(t)
	for i := range 2 {
		s.ha.worker(i).do("set server web/web1 health down")
	}
	s.ha.worker(0).do("set server web/web2 health down") // up in the other worker
	s.set("web", 1, 2, 3, 4)
	s.serves(t, "all", "web", 1, 2, 3, 4, 0, 0)
	same(t, "rendered, dead for all", "none", s.ha.renderedLine("web1"))
	same(t, "rendered, dead for one", "server web2 10.0.0.2:80 check", s.ha.renderedLine("web2"))
	for i := range 2 {
		w := s.ha.worker(i)
		same(t, "dead for all", "10.0.0.1:80 down", w.show("web/web1"))
		same(t, "dead for one", "10.0.0.2:80 ready", w.show("web/web2"))
		same(t, "writes", [][]string{write(enters("web/web1", 1), []string{"set server web/web1 health down"})}, w.changes())
	}
	s.endsWith(t, "start", "slots")
}

// A daemon that ends before it has sent new workers the health of their servers leaves
// nothing that the next daemon takes for an operator's override.
func TestTakeoverRightAfterAReload(t *testing.T) {
	t.Parallel()
	first := newStory(t, backendOf("web", 3))
	first.set("web", 1, 2)
	first.launch(t)
	for i := range 2 {
		first.ha.worker(i).do("set server web/web1 health down")
	}
	if err := first.replaceGeneration(t.Context(), "signal"); err != nil {
		t.Fatal(err)
	}
	s := newStory(t, backendOf("web", 3))
	s.runs(string(first.ha.launches[1].Config))
	s.set("web", 1, 2)
	s.serve(t)
	s.serves(t, "both", "web", 1, 2, 0)
	same(t, "no override", 0, len(s.Snapshot().Remarks))
	s.endsWith(t, "start")
}

func TestHealthComesFromAnsweringWorkers(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2)
	s.launch(t)
	s.ha.worker(1).do("set server web/web1 health down")
	s.fleet.workers[0].failures = maxFailures // it was up when it last answered
	if err := s.replaceGeneration(t.Context(), "worker does not answer"); err != nil {
		t.Fatal(err)
	}
	same(t, "rendered", "none", s.ha.renderedLine("web1"))
}

func TestNewInstanceWaitsForFirstHealthCheck(t *testing.T) {
	t.Parallel()
	b := backendOf("web", 3)
	b.WaitCheck = true
	s := newStory(t, b)
	s.with(func(o *Options) { o.Resync = 20 * time.Millisecond })
	s.set("web", 1)
	s.serve(t)
	same(t, "rendered", "none", s.ha.renderedLine("web1"))
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
	s.ha.worker(0).do("set server web/web2 health up") // the check succeeded
	becomes(t, "resynced", true, func() bool { return s.ha.worker(1).asked("show servers state") > 1 })
	seen := s.ha.worker(0).asked("show servers state")
	becomes(t, "resynced again", true, func() bool { return s.ha.worker(0).asked("show servers state") > seen+1 })
	s.ha.kill(1)
	becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
	same(t, "rendered, still to be checked", "none", s.ha.renderedLine("web1"))
	same(t, "rendered, alive", "server web2 10.0.0.2:80 check", s.ha.renderedLine("web2"))
}

func TestCountingSessionsWaitsForHungWorkerOnce(t *testing.T) {
	t.Parallel()
	var backends []haproxy.Backend
	for name := range strings.SplitSeq("abcdefghij", "") {
		backends = append(backends, backendOf(name, 2))
	}
	s := newStory(t, backends...)
	s.with(func(o *Options) { o.Timeout = 100 * time.Millisecond })
	if err := s.replaceGeneration(t.Context(), "start"); err != nil {
		t.Fatal(err)
	}
	for _, g := range s.desired.groups {
		g.table.Assign(instances(1), time.Now())
		g.table.Assign(nil, time.Now())
	}
	w := s.ha.worker(0)
	w.stopAnswering(false)
	s.fleet.freeSlots(t.Context(), s.desired.groups)
	becomes(t, "connections that hung", 1, w.hanging)
	same(t, "draining: not known to be at rest", []int{0}, s.table(0).Draining())
	if s.fleet.countAt.IsZero() {
		t.Error("sessions are not to be counted again")
	}
}

func TestRecoveredWorkerIsUpdatedWhileReloadsFail(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.with(func(o *Options) { o.Timeout = 100 * time.Millisecond })
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

func TestOperatorStateFoundOnRecoveredWorkerIsKept(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.with(func(o *Options) { o.Timeout = 500 * time.Millisecond })
	s.set("web", 1, 2)
	s.serve(t)
	w := s.ha.worker(1)
	w.do("set server web/web1 state drain") // no resync since
	release := w.stopAnswering(true)
	s.set("web", 1, 2, 3)
	becomes(t, "hangs", 1, w.hanging)
	release()
	for i := range 2 {
		worker := s.ha.worker(i)
		becomes(t, "the operator's server", "10.0.0.1:80 drain", func() string { return worker.show("web/web1") })
		becomes(t, "entered", "10.0.0.3:80 ready", func() string { return worker.show("web/web3") })
	}
	becomes(t, "logged", 1, func() int { return len(s.Snapshot().Remarks) })
	s.endsWith(t, "start")
}

func TestOperatorWeightReachesAllWorkers(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.with(func(o *Options) { o.Resync = 20 * time.Millisecond })
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
	same(t, "rendered, with another weight", "server web1 10.0.0.1:80 check", s.ha.renderedLine("web1"))
	same(t, "rendered, without any", "server web2 10.0.0.2:80 check disabled", s.ha.renderedLine("web2"))
	weigh("web/web1", 30)
	weigh("web/web2", 0)
	s.serves(t, "all are in service", "web", 1, 2, 3)
	s.ha.worker(0).do("set server web/web1 weight 100%", "set server web/web2 weight 100%")
	weigh("web/web1", 1)
	weigh("web/web2", 1)
	same(t, "drift", 0, s.metric(t, "haproxyzk_drift_repaired_total"))
	becomes(t, "remarks", 0, func() int { return len(s.Snapshot().Remarks) })
	s.endsWith(t, "start", "worker died")
}

// storyWithAgents begins with one instance, whose servers have agent checks.
func storyWithAgents(t *testing.T) *story {
	t.Helper()
	b := backendOf("web", 2)
	b.Servers.Params = append(b.Servers.Params, "agent-check", "agent-port", "8000")
	s := newStory(t, b)
	s.with(func(o *Options) { o.Resync = 20 * time.Millisecond })
	s.set("web", 1)
	s.serve(t)
	return s
}

func TestAgentWeightIsNotAnOperatorOverride(t *testing.T) {
	t.Parallel()
	s := storyWithAgents(t)
	s.ha.worker(1).do("set server web/web1 weight 30")
	before := s.ha.worker(0).asked("show servers state")
	becomes(t, "resynced", true, func() bool { return s.ha.worker(0).asked("show servers state") > before+1 })
	s.set("web", 1, 2)
	s.serves(t, "another one enters", "web", 1, 2)
	same(t, "weight", 1, s.ha.worker(0).weight("web/web1"))
	same(t, "weight of the agent", 30, s.ha.worker(1).weight("web/web1"))
	s.endsWith(t, "start")
}

// HAProxy does not say whether an agent check or an operator has changed a server.
func TestAgentStateIsNotAnOperatorOverride(t *testing.T) {
	t.Parallel()
	s := storyWithAgents(t)
	remarks := func(want ...string) {
		t.Helper()
		becomes(t, "remarks", want, func() (kinds []string) {
			for _, r := range s.Snapshot().Remarks {
				kinds = append(kinds, string(r.Kind)+": "+r.Text)
			}
			return kinds
		})
	}
	s.ha.worker(0).do("set server web/web1 state drain")
	remarks("agent: drain")
	s.ha.kill(0)
	becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
	for i := range 2 {
		becomes(t, "after a reload", "10.0.0.1:80 drain", func() string { return s.ha.worker(i).show("web/web1") })
	}
	remarks("agent: drain")
	s.ha.worker(0).do("set server web/web1 state ready")
	remarks()
	s.ha.worker(0).do("disable agent web/web1")
	remarks("operator: agent disabled")
	s.ha.worker(1).do("set server web/web1 state drain")
	remarks("operator: drain agent disabled")
	same(t, "drift", 0, s.metric(t, "haproxyzk_drift_repaired_total"))
	s.endsWith(t, "start", "worker died")
}

// HAProxy itself changes a server that tracks another one.
func TestInheritedMaintenanceIsDown(t *testing.T) {
	text := "1\n# be_name srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_agent_state srv_port\nweb web1 10.0.0.1 0 2 1 1 0 80\n"
	state, err := haproxy.ParseServersState(text)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "as if its check had failed", true, state["web"]["web1"] == haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Down: true})
}

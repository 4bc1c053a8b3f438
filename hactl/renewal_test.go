package hactl

import (
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func TestRoundsBeginOneAtATime(t *testing.T) {
	t.Parallel()
	r, now := newRenewals(), time.Unix(1<<30, 0)
	is := func(what string, next uint64, running bool) {
		t.Helper()
		same(t, what+": next", next, r.next())
		same(t, what+": running", running, r.running())
	}
	is("none has begun", 1, false)
	r.begin(0)
	is("the first one", 2, true)
	pause := func() time.Duration {
		r.again(now)
		return r.at.Sub(now)
	}
	if first := pause(); first < 100*time.Millisecond || first > 300*time.Millisecond {
		t.Errorf("the first question comes after %s", first)
	}
	for range 20 {
		if again := pause(); again > 2*time.Second {
			t.Errorf("another one comes after %s", again)
		}
	}
	r.end()
	is("it is over", 2, false)
	same(t, "done", 1, int(r.done))
	if first := pause(); first > 300*time.Millisecond {
		t.Errorf("after its end the next question comes after %s", first)
	}
	r.begin(9)
	is("a worker knows later rounds, of a previous daemon", 11, true)
}

// keeping is a story of HAProxy 2.0, whose kept clients must renew their connections.
func keeping(t *testing.T, slots int) *story {
	t.Helper()
	s := newStory(t, backendOf("web", slots))
	s.with(func(o *Options) { o.Frame.Version = haproxy.Version{Major: 2} })
	return s
}

func TestSlotIsReusedAfterKeptClientsHaveRenewed(t *testing.T) {
	t.Parallel()
	s := keeping(t, 2)
	s.set("web", 1, 2)
	s.serve(t)
	workers := []*fakeWorker{s.ha.worker(0), s.ha.worker(1)}
	workers[0].connect(3)
	workers[1].connect(1)
	s.set("web", 2)
	for _, w := range workers {
		becomes(t, "the round begins", uint64(1), w.round)
		w.connect(5)
	}
	workers[0].disconnect(0, 3)
	asked := workers[1].asked(haproxy.ShowClients)
	becomes(t, "the workers are asked again", true, func() bool { return workers[1].asked(haproxy.ShowClients) > asked+1 })
	same(t, "sessions counted while a client from before remains", 0, workers[0].counted("web"))
	workers[1].disconnect(0, 1)
	becomes(t, "sessions counted", 1, func() int { return workers[0].counted("web") })
	s.set("web", 2, 3)
	s.serves(t, "the slot is reused", "web", 3, 2)
	same(t, "it has begun one round", uint64(1), workers[0].round())
	s.endsWith(t, "start")
	same(t, "draining", nil, s.table(0).Draining())
	if !s.fleet.renewals.at.IsZero() {
		t.Error("the workers are still to be asked")
	}
}

func TestDepartureDuringRoundWaitsForTheNext(t *testing.T) {
	t.Parallel()
	s := keeping(t, 3)
	s.set("web", 1, 2, 3)
	s.serve(t)
	w := s.ha.worker(0)
	w.connect(1)
	s.set("web", 2, 3)
	becomes(t, "the first round begins", uint64(1), w.round)
	w.connect(1)
	s.set("web", 3)
	s.serves(t, "another instance leaves", "web", 0, 0, 3)
	asked := w.asked(haproxy.ShowClients)
	becomes(t, "the worker is asked again", true, func() bool { return w.asked(haproxy.ShowClients) > asked+1 })
	same(t, "the round while the first one is not over", uint64(1), w.round())
	w.disconnect(0, 1)
	becomes(t, "the second round begins", uint64(2), w.round)
	s.set("web", 3, 4, 5)
	becomes(t, "no slot for both: the second one's client remains", []string{"start", "slots"}, s.ha.causes)
	s.endsWith(t, "start", "slots")
}

// A worker that misses the beginning of a round keeps the slot from being reused.
func TestRoundWaitsForEveryWorker(t *testing.T) {
	t.Parallel()
	s := keeping(t, 2)
	s.set("web", 1, 2)
	s.serve(t)
	prompt, late := s.ha.worker(0), s.ha.worker(1)
	late.refuse("set table", 2)
	s.set("web", 2)
	becomes(t, "the round begins", uint64(1), prompt.round)
	same(t, "sessions counted before the other worker is in the round", 0, prompt.counted("web"))
	becomes(t, "it begins in the other one too", uint64(1), late.round)
	becomes(t, "sessions counted", 1, func() int { return prompt.counted("web") })
	s.endsWith(t, "start")
}

func TestFreeSlotFoundInServiceWaitsForAnotherRound(t *testing.T) {
	t.Parallel()
	s := keeping(t, 2)
	s.with(func(o *Options) { o.Resync = 20 * time.Millisecond })
	s.set("web", 1, 2)
	s.serve(t)
	w := s.ha.worker(0)
	s.set("web", 2)
	becomes(t, "sessions counted", 1, func() int { return w.counted("web") })
	w.do("set server web/web1 weight 100%", "set server web/web1 state ready")
	becomes(t, "it is repaired", "10.0.0.1:80 maint", func() string { return w.show("web/web1") })
	becomes(t, "another round begins", uint64(2), w.round)
	becomes(t, "sessions counted again", 2, func() int { return w.counted("web") })
	s.endsWith(t, "start")
}

// A generation that a previous daemon has started knows its rounds.
func TestAdoptedWorkersBeginLaterRound(t *testing.T) {
	t.Parallel()
	s := keeping(t, 3)
	s.set("web", 1, 2)
	s.launch(t)
	w := s.ha.worker(0)
	for _, w := range []*fakeWorker{w, s.ha.worker(1)} {
		w.do("set table haproxy-zk.clients key 0 data.gpt0 7")
		w.connect(1)
	}
	s.set("web", 2)
	s.step(t.Context())
	s.fleet.renew(t.Context(), s.desired.groups)
	same(t, "the round", uint64(8), w.round())
	s.fleet.renew(t.Context(), s.desired.groups)
	same(t, "over while a client from before remains", true, s.fleet.renewals.running())
	for _, w := range []*fakeWorker{w, s.ha.worker(1)} {
		w.disconnect(7, 1)
	}
	s.fleet.renew(t.Context(), s.desired.groups)
	same(t, "the slot's sessions may be counted", []int{0}, s.fleet.atRest(s.desired.groups[0]))
	same(t, "waiting for a round", 0, len(s.fleet.unrenewed(s.desired.groups[0])))
}

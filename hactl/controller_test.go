package hactl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// story is a controller with two fake workers. Its timers are far away: a story
// sets those that it is about before it begins.
type story struct {
	*Controller
	ha      *fakeHAProxy
	reg     *prometheus.Registry
	started chan struct{} // closed once HAProxy serves
	cancel  context.CancelFunc
	over    chan struct{} // closed when Run has returned err
	err     error
}

func newStory(tb testing.TB, backends ...Backend) *story {
	tb.Helper()
	template, err := ParseTemplate(Builtin{Mode: "http", Version: Version{Major: 2, Minor: 6}}.Text())
	if err != nil {
		tb.Fatal(err)
	}
	s := &story{ha: newFakeHAProxy(tb, 2), reg: prometheus.NewRegistry(), started: make(chan struct{}), over: make(chan struct{})}
	frame := Frame{Version: Version{Major: 2, Minor: 2}}
	for _, socket := range s.ha.sockets {
		frame.Sockets = append(frame.Sockets, socket.path)
	}
	s.Controller = New(Options{
		Proxy: "ngboss", Template: template, Frame: frame, Backends: backends, Reloader: s.ha,
		StartWait: time.Hour, Sweep: time.Hour, Beat: time.Hour, Timeout: 5 * time.Second,
		Logger: slog.New(slog.DiscardHandler), Metrics: NewMetrics(s.reg),
	})
	return s
}

func backendOf(name string, slots int) Backend {
	return Backend{Name: name, Mode: "http", Balance: "roundrobin", Servers: ServerTemplate{Prefix: name, First: 1, Last: slots, Free: "0.0.0.0:0", Params: []string{"check"}}}
}

func (s *story) set(group string, last ...int) {
	s.SetGroup(registry.Group{Name: group, Instances: instances(last...)})
}

// begin runs the controller.
func (s *story) begin(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	s.cancel = cancel
	go func() {
		s.err = s.Run(ctx, func() { close(s.started) })
		close(s.over)
	}()
	tb.Cleanup(func() { cancel(); <-s.over })
}

// launch starts HAProxy with what has come, without Run: the story goes on step by
// step.
func (s *story) launch(tb testing.TB) {
	tb.Helper()
	s.absorb(tb.Context())
	s.sweepAt, s.beatAt = time.Now().Add(s.Sweep), time.Now().Add(s.Beat)
	if err := s.reload(tb.Context(), "start"); err != nil {
		tb.Fatal(err)
	}
}

// serve runs the controller and returns once HAProxy serves.
func (s *story) serve(tb testing.TB) {
	tb.Helper()
	s.begin(tb)
	awaited(tb, "HAProxy serves", s.started)
}

// end stops the controller, whose fields may be read from then on.
func (s *story) end(tb testing.TB) {
	tb.Helper()
	s.cancel()
	awaited(tb, "Run returns", s.over)
	if s.err != nil {
		tb.Errorf("Run: %v", s.err)
	}
}

// What brings an instance of 10.0.0.n:80 into a server, what takes one out, and
// the write that they make.
func enters(server string, n int) []string {
	return []string{fmt.Sprintf("set server %s addr 10.0.0.%d port 80", server, n), "set server " + server + " state ready"}
}

func leaves(server string) []string {
	return []string{"set server " + server + " state maint", "set server " + server + " weight 0%"}
}

// returns is what brings an instance back into a server that has its address.
func returns(server string) []string {
	return []string{"set server " + server + " weight 100%", "set server " + server + " state ready"}
}

// follows is what brings one into a server that another has left.
func follows(server string, n int) []string {
	return append(enters(server, n)[:1], returns(server)...)
}

func write(parts ...[]string) []string {
	return append(slices.Concat(parts...), "show info")
}

func awaited(tb testing.TB, what string, done <-chan struct{}) {
	tb.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		tb.Fatalf("%s: not within 10 s", what)
	}
}

// becomes waits until get gives want.
func becomes[T any](tb testing.TB, what string, want T, get func() T) {
	tb.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-again.C {
		diff := cmp.Diff(want, get())
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("%s: -want +got\n%s", what, diff)
		}
	}
}

func same[T any](tb testing.TB, what string, want, got T) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("%s: -want +got\n%s", what, diff)
	}
}

// serves waits until both workers have a backend's servers so.
func (s *story) serves(tb testing.TB, what, backend string, want ...int) {
	tb.Helper()
	becomes(tb, what, [][]int{want, want}, func() [][]int { return s.ha.serving(backend) })
}

// endsWith ends the story and compares why HAProxy was started and reloaded.
func (s *story) endsWith(tb testing.TB, causes ...string) {
	tb.Helper()
	s.set("nobody's")
	becomes(tb, "the loop takes in what came", 0, func() int {
		s.inbox.mu.Lock()
		defer s.inbox.mu.Unlock()
		return len(s.inbox.mail.groups)
	})
	s.end(tb)
	same(tb, "reloads", causes, s.ha.causes())
	if s.reloadCause != "" {
		tb.Errorf("one more reload is wanted: %s", s.reloadCause)
	}
}

// isReady tells whether Ready is nil.
func (s *story) isReady() bool { return s.Ready() == nil }

func TestStartAwaitsEveryGroup(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 5), backendOf("api", 2))
	s.begin(t)
	same(t, "waiting for", []string{"web", "api"}, s.Snapshot().Waiting)
	s.set("web", 1, 2)
	becomes(t, "waiting for", []string{"api"}, func() []string { return s.Snapshot().Waiting })
	same(t, "reloads", nil, s.ha.causes())
	if s.isReady() {
		t.Error("ready before HAProxy runs")
	}
	s.set("api") // nobody is registered: it was read all the same
	awaited(t, "HAProxy serves", s.started)
	s.serves(t, "as registered", "web", 1, 2, 0, 0, 0)
	s.serves(t, "nobody", "api", 0, 0)
	same(t, "ready", nil, s.Ready())
	same(t, "waiting for", nil, s.Snapshot().Waiting)
	s.endsWith(t, "start")
	for i := range 2 {
		same(t, "commands: it starts with its servers", nil, s.ha.worker(i).changes())
	}
}

func TestStartWaitsNoLongerThanStartWait(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3), backendOf("api", 2))
	s.StartWait = 20 * time.Millisecond
	s.set("web", 1)
	s.serve(t)
	same(t, "waiting for", []string{"api"}, s.Snapshot().Waiting)
	s.serves(t, "what is known", "web", 1, 0, 0)
	s.set("api", 7)
	s.serves(t, "what became known later", "api", 7, 0)
	same(t, "waiting for", nil, s.Snapshot().Waiting)
	s.endsWith(t, "start")
}

func TestRunReturnsWhyHAProxyDoesNotStart(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.ha.fail = errors.New("no such file")
	s.set("web", 1)
	s.begin(t)
	awaited(t, "Run returns", s.over)
	if !errors.Is(s.err, s.ha.fail) {
		t.Errorf("Run: %v", s.err)
	}
	select {
	case <-s.started:
		t.Error("started although it did not")
	default:
	}
	same(t, "reloads", []string{"start"}, s.ha.causes())
}

func TestRunReturnsPromptly(t *testing.T) {
	t.Parallel()
	for _, stage := range []struct {
		name  string
		until func(*testing.T, *story)
	}{
		{"groups are awaited", func(t *testing.T, s *story) {
			s.begin(t)
		}},
		{"HAProxy starts", func(t *testing.T, s *story) {
			s.ha.holdReload()
			s.set("web", 1)
			s.begin(t)
			becomes(t, "starts", []string{"start"}, s.ha.causes)
		}},
		{"the new workers are looked for", func(t *testing.T, s *story) {
			s.ha.shared = 1 << 30
			s.set("web", 1)
			s.begin(t)
			becomes(t, "an older one answers", true, func() bool { return s.ha.sockets[0].left() < 1<<30-1 })
		}},
		{"nothing happens", func(t *testing.T, s *story) {
			s.set("web", 1)
			s.serve(t)
		}},
		{"a worker hangs", func(t *testing.T, s *story) {
			s.Timeout = time.Hour
			s.set("web", 1)
			s.serve(t)
			s.ha.worker(1).stopAnswering(false)
			s.set("web", 1, 2)
			becomes(t, "hangs", 1, s.ha.worker(1).hanging)
		}},
		{"a reload runs", func(t *testing.T, s *story) {
			s.set("web", 1)
			s.serve(t)
			s.ha.holdReload()
			s.ha.kill(0)
			becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
		}},
		{"a reload has failed", func(t *testing.T, s *story) {
			s.set("web", 1)
			s.serve(t)
			s.ha.meet(func() { s.ha.fail = errors.New("refused") })
			s.ha.kill(0)
			becomes(t, "reloads", 3, func() int { return len(s.ha.causes()) })
		}},
	} {
		t.Run(stage.name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, backendOf("web", 3))
			stage.until(t, s)
			from := time.Now()
			s.end(t)
			if took := time.Since(from); took > 2*time.Second {
				t.Errorf("Run returned after %v", took)
			}
		})
	}
}

func TestInstancesComeAndGoInOneWrite(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 5))
	s.set("web", 1, 2)
	s.serve(t)
	var writes [][]string
	step := func(what string, now, serving []int, commands ...[]string) {
		t.Helper()
		s.set("web", now...)
		s.serves(t, what, "web", serving...)
		writes = append(writes, write(commands...))
		for i := range 2 {
			same(t, what+": writes to a worker", writes, s.ha.worker(i).changes())
		}
	}
	step("one enters", []int{1, 2, 3}, []int{1, 2, 3, 0, 0}, enters("web/web3", 3))
	step("one leaves", []int{2, 3}, []int{0, 2, 3, 0, 0}, leaves("web/web1"))
	step("one is replaced", []int{3, 4}, []int{0, 0, 3, 4, 0}, enters("web/web4", 4), leaves("web/web2"))
	step("one returns to its slot", []int{1, 3, 4}, []int{1, 0, 3, 4, 0}, returns("web/web1"))
	step("two leave", []int{3}, []int{0, 0, 3, 0, 0}, leaves("web/web1"), leaves("web/web4"))
	s.endsWith(t, "start")
}

// busy makes the loop wait for a worker until release is called: what is
// registered meanwhile is taken in at once.
func (s *story) busy(tb testing.TB, group string, last ...int) (release func()) {
	tb.Helper()
	w := s.ha.worker(0)
	before := w.hanging()
	answer := w.stopAnswering(true)
	s.set(group, last...)
	becomes(tb, "the loop waits", before+1, w.hanging)
	return answer
}

func TestBurstBecomesOneWrite(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 5), backendOf("api", 5))
	s.set("web", 1)
	s.set("api", 1)
	s.serve(t)
	release := s.busy(t, "web", 1, 2)
	for i := range 100 {
		s.set("web", 1, 2, i%7+10)
		s.set("api", i%5+10)
	}
	s.set("web", 2, 3)
	s.set("api", 1, 9)
	release()
	s.serves(t, "the last list", "web", 0, 2, 3, 0, 0)
	s.serves(t, "the last list", "api", 1, 9, 0, 0, 0)
	want := write(enters("web/web3", 3), enters("api/api2", 9), leaves("web/web1"))
	for i := range 2 {
		writes := s.ha.worker(i).changes()
		if len(writes) != 2 {
			t.Fatalf("%d writes: %q", len(writes), writes)
		}
		same(t, "the second write to a worker", want, writes[1])
	}
	s.endsWith(t, "start")
}

func TestAddressThatMovesNeverServesTwoGroups(t *testing.T) {
	t.Parallel()
	// It enters the first backend and leaves the second: their order is not what decides.
	s := newStory(t, backendOf("api", 3), backendOf("web", 3))
	s.set("api")
	s.set("web", 1, 2)
	s.serve(t)
	release := s.busy(t, "web", 1, 2, 3)
	s.set("api", 1)
	s.set("web", 2, 3)
	release()
	s.serves(t, "it entered", "api", 1, 0, 0)
	s.serves(t, "it left", "web", 0, 2, 3)
	for i := range 2 {
		// Every worker has let it go before any lets it in.
		writes := s.ha.worker(i).changes()
		same(t, "the last writes to a worker", [][]string{write(leaves("web/web1")), write(enters("api/api1", 1))}, writes[len(writes)-2:])
	}
}

func TestMoreInstancesThanSlots(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 5))
	s.set("web", 1, 2, 3)
	s.serve(t)
	release := s.ha.holdReload()
	s.set("web", 1, 2, 3, 4, 5, 6, 7)
	s.serves(t, "those that find a slot serve at once", "web", 1, 2, 3, 4, 5)
	becomes(t, "reloads", []string{"start", "slots"}, s.ha.causes)
	applied := func() float64 { return s.metric(t, "haproxyzk_apply_duration_seconds") }
	same(t, "applied", 1, applied())
	s.set("web", 1, 3, 4, 5, 6, 7, 8) // while it runs
	release()
	s.serves(t, "the doubled table, with what came and left meanwhile", "web", 1, 0, 3, 4, 5, 6, 7, 8, 0, 0)
	becomes(t, "applied", 3, applied)
	same(t, "the last to enter before the reload", "server web7 10.0.0.7:80 check", s.ha.rendered("web7"))
	for i := range 2 {
		same(t, "writes to a new worker", [][]string{write(enters("web/web8", 8), leaves("web/web2"))}, s.ha.worker(i).changes())
	}
	s.endsWith(t, "start", "slots")
}

func TestMoreInstancesThanSlotsAtTheStart(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 5))
	s.set("web", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	s.serve(t)
	want := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0, 0, 0, 0, 0, 0, 0}
	s.serves(t, "all", "web", want...)
	s.set("web", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
	want[12] = 13
	s.serves(t, "one more", "web", want...)
	s.endsWith(t, "start")
}

func TestSlotWithSessionsIsNobodyElses(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	s.set("web", 1, 2)
	s.serve(t)
	old := []*fakeWorker{s.ha.worker(0), s.ha.worker(1)}
	old[1].setSessions("web/web1", 1)
	s.set("web", 2)
	s.serves(t, "one has left", "web", 0, 2)
	becomes(t, "its sessions were counted", true, func() bool { return old[1].counted("web") > 0 })
	s.set("web", 2, 3)
	s.serves(t, "the table has grown", "web", 0, 2, 3, 0)
	for _, w := range old {
		same(t, "the slot on which a session ran", "10.0.0.1:80 maint", w.show("web/web1"))
	}
	s.set("web", 2, 3, 4, 5)
	s.serves(t, "in the new workers it is as free as any", "web", 4, 2, 3, 5)
	s.endsWith(t, "start", "slots")
}

func TestSlotIsReusedOnceItsSessionsEnded(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	s.set("web", 1, 2)
	s.serve(t)
	w := s.ha.worker(1)
	w.setSessions("web/web1", 1)
	s.set("web", 2)
	s.serves(t, "one has left", "web", 0, 2)
	becomes(t, "its sessions were counted", true, func() bool { return w.counted("web") > 0 })
	w.setSessions("web/web1", 0)
	s.set("web", 2, 3)
	s.serves(t, "its slot is another's", "web", 3, 2)
	for i := range 2 {
		writes := s.ha.worker(i).changes()
		same(t, "the last write to a worker", write(follows("web/web1", 3)), writes[len(writes)-1])
	}
	s.endsWith(t, "start")
}

func TestSlotIsNotGivenAwayInTheWriteThatRetiresIt(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1, 2, 3)
	s.serve(t)
	old := []*fakeWorker{s.ha.worker(0), s.ha.worker(1)}
	old[0].setSessions("web/web1", 1)
	s.set("web", 2, 3)
	becomes(t, "a slot drains", true, func() bool { return old[0].counted("web") > 0 })
	old[1].lateSession("web/web2")
	s.set("web", 3, 4)
	s.serves(t, "the table has grown", "web", 0, 0, 3, 4, 0, 0)
	for _, w := range old {
		same(t, "the slot that had just been left", "10.0.0.2:80 maint", w.show("web/web2"))
	}
	s.endsWith(t, "start", "slots")
}

func TestSessionsAreCountedAgain(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	s.set("web", 1, 2)
	s.serve(t)
	w := s.ha.worker(0)
	w.setSessions("web/web1", 1)
	s.set("web", 2)
	counts := func() int { return w.counted("web") }
	becomes(t, "counts", 1, counts)
	w.setSessions("web/web1", 0)
	becomes(t, "counts", 2, counts)
	s.endsWith(t, "start")
	same(t, "draining", nil, s.groups[0].table.Draining())
	if !s.releaseAt.IsZero() {
		t.Error("sessions are still to be counted")
	}
}

func BenchmarkApply(b *testing.B) {
	var backends []Backend
	for i := range 1000 {
		backends = append(backends, backendOf(fmt.Sprintf("web%d-", i), 20))
	}
	s := newStory(b, backends...)
	for _, g := range backends {
		s.set(g.Name, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	}
	s.launch(b)
	group := backends[500].Name
	in, out := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for b.Loop() {
		s.set(group, in...)
		in, out = out, in
		s.step(b.Context())
		s.releaseAt = time.Time{}
		s.groups[500].damper = damper{} // it would not let it in any more
	}
	if n := len(s.ha.worker(0).changes()); n != b.N {
		b.Errorf("%d writes for %d changes", n, b.N)
	}
	if !slices.Equal(s.ha.causes(), []string{"start"}) {
		b.Errorf("reloads: %v", s.ha.causes())
	}
}

func TestAddressMovesOnceAllWorkersHaveLetItGo(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("api", 3), backendOf("web", 3))
	s.set("api")
	s.set("web", 1, 2)
	s.launch(t)
	prompt, late := s.ha.worker(0), s.ha.worker(1)
	release := late.stopAnswering(true)
	s.set("api", 1)
	s.set("web", 2)
	stepped := make(chan struct{})
	go func() { s.step(t.Context()); close(stepped) }()
	becomes(t, "one worker is late", 1, late.hanging)
	becomes(t, "writes to the other one", [][]string{write(leaves("web/web1"))}, prompt.changes)
	release()
	awaited(t, "the step ends", stepped)
	s.serves(t, "it entered", "api", 1, 0, 0)
	s.serves(t, "it left", "web", 0, 2, 0)
}

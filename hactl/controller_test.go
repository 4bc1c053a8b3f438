package hactl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/hactl/membership"
	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// story is a controller with two fake workers. All timers are far in the future; a test
// sets those it is about before the story begins.
type story struct {
	*Controller
	options Options
	ha      *fakeHAProxy
	reg     *prometheus.Registry
	started chan struct{} // closed once HAProxy serves
	cancel  context.CancelFunc
	over    chan struct{} // closed when Run has returned err
	err     error
	passed  atomic.Int64 // how far the story's clock is ahead, in nanoseconds
}

func builtin(tb testing.TB) *haproxy.Template {
	tb.Helper()
	template, err := haproxy.Builtin{Mode: "http", Version: haproxy.Version{Major: 2, Minor: 6}}.Template()
	if err != nil {
		tb.Fatal(err)
	}
	return template
}

func newStory(tb testing.TB, backends ...haproxy.Backend) *story {
	tb.Helper()
	s := &story{ha: newFakeHAProxy(tb, 2), reg: prometheus.NewRegistry(), started: make(chan struct{}), over: make(chan struct{})}
	frame := haproxy.Frame{Version: haproxy.Version{Major: 2, Minor: 2}}
	for _, socket := range s.ha.sockets {
		frame.Sockets = append(frame.Sockets, socket.path)
	}
	s.options = Options{
		Proxy: "ngboss", Template: builtin(tb), Frame: frame, Backends: backends, Reloader: s.ha,
		StartWait: time.Hour, Resync: time.Hour, Heartbeat: time.Hour, Timeout: 5 * time.Second,
		Logger: slog.New(slog.DiscardHandler), Metrics: NewMetrics(s.reg), clock: s.time,
	}
	s.Controller = New(s.options)
	return s
}

// with changes the options of the controller before it begins.
func (s *story) with(change func(*Options)) {
	change(&s.options)
	s.Controller = New(s.options)
}

func (s *story) time() time.Time { return time.Now().Add(time.Duration(s.passed.Load())) }

// passes advances the controller's clock.
func (s *story) passes(d time.Duration) { s.passed.Add(int64(d)) }

// wanted returns the cause of the reload that is wanted; empty if none is.
func (s *story) wanted() Cause { return s.reloads.cause }

// table returns the table of the group rendered at index i.
func (s *story) table(i int) *slots.Table { return s.desired.groups[i].table }

// members returns the members of the group rendered at index i.
func (s *story) members(i int) *membership.Group { return s.desired.groups[i].members }

func backendOf(name string, slots int) haproxy.Backend {
	return haproxy.Backend{Name: name, Mode: "http", Balance: "roundrobin", Servers: haproxy.ServerTemplate{Prefix: name, First: 1, Last: slots, Free: "0.0.0.0:0", Params: []string{"check"}}}
}

func (s *story) set(group string, last ...int) {
	s.SetGroup(registry.Group{Name: group, Instances: registry.Sort(instances(last...))})
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

// launch starts HAProxy without Run, so that the test calls each step itself.
func (s *story) launch(tb testing.TB) {
	tb.Helper()
	s.absorb(tb.Context())
	s.fleet.begin()
	if err := s.replaceGeneration(tb.Context(), "start"); err != nil {
		tb.Fatal(err)
	}
}

// serve runs the controller and returns once HAProxy serves.
func (s *story) serve(tb testing.TB) {
	tb.Helper()
	s.begin(tb)
	awaited(tb, "HAProxy is serving", s.started)
}

// end stops the controller; its fields may be read from then on.
func (s *story) end(tb testing.TB) {
	tb.Helper()
	s.cancel()
	awaited(tb, "Run returns", s.over)
	if s.err != nil {
		tb.Errorf("Run: %v", s.err)
	}
}

// The commands that put instance 10.0.0.n:80 into a server, the ones that take an
// instance out, and the write that they make.
func enters(server string, n int) []string {
	return []string{fmt.Sprintf("set server %s addr 10.0.0.%d port 80", server, n), "set server " + server + " state ready"}
}

func leaves(server string) []string {
	return []string{"set server " + server + " state maint", "set server " + server + " weight 0%"}
}

// returns has the commands that put an instance back into a server with its address.
func returns(server string) []string {
	return []string{"set server " + server + " weight 100%", "set server " + server + " state ready"}
}

// follows has the commands that put an instance into a server that another has left.
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

// becomes waits until get returns want.
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

// serves waits until both workers have these servers in a backend.
func (s *story) serves(tb testing.TB, what, backend string, want ...int) {
	tb.Helper()
	becomes(tb, what, [][]int{want, want}, func() [][]int { return s.ha.serving(backend) })
}

// endsWith ends the story and compares the causes of the starts and reloads of HAProxy.
func (s *story) endsWith(tb testing.TB, causes ...string) {
	tb.Helper()
	s.set("unknown")
	becomes(tb, "the loop takes in what came", 0, func() int { return len(s.in.lists()) })
	s.end(tb)
	same(tb, "reloads", causes, s.ha.causes())
	if s.wanted() != "" {
		tb.Errorf("one more reload is wanted: %s", s.wanted())
	}
}

// isReady reports whether Ready is nil.
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
	s.set("api") // an empty list counts as read
	awaited(t, "HAProxy is serving", s.started)
	s.serves(t, "as registered", "web", 1, 2, 0, 0, 0)
	s.serves(t, "no instance", "api", 0, 0)
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
	s.with(func(o *Options) { o.StartWait = 20 * time.Millisecond })
	s.set("web", 1)
	s.serve(t)
	same(t, "waiting for", []string{"api"}, s.Snapshot().Waiting)
	s.serves(t, "known group", "web", 1, 0, 0)
	s.set("api", 7)
	s.serves(t, "what became known later", "api", 7, 0)
	same(t, "waiting for", nil, s.Snapshot().Waiting)
	s.endsWith(t, "start")
}

func TestRunReturnsStartError(t *testing.T) {
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
		{"no event", func(t *testing.T, s *story) {
			s.set("web", 1)
			s.serve(t)
		}},
		{"a worker hangs", func(t *testing.T, s *story) {
			s.with(func(o *Options) { o.Timeout = time.Hour })
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

func TestInstancesEnterAndLeaveInOneWrite(t *testing.T) {
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

// busy makes the loop wait for a worker until unblock is called: all lists that arrive
// in the meantime are applied together.
func (s *story) busy(tb testing.TB, group string, last ...int) (unblock func()) {
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

func TestMovingAddressNeverServesTwoGroups(t *testing.T) {
	t.Parallel()
	// The instance enters the first backend and leaves the second: their order does not
	// matter.
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
		// Every worker removes the address before any worker adds it.
		writes := s.ha.worker(i).changes()
		same(t, "the last writes to a worker", [][]string{write(leaves("web/web1")), write(enters("api/api1", 1))}, writes[len(writes)-2:])
	}
}

func TestReloadAddsMissingSlots(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 5))
	s.set("web", 1, 2, 3)
	s.serve(t)
	release := s.ha.holdReload()
	s.set("web", 1, 2, 3, 4, 5, 6, 7)
	s.serves(t, "instances with a slot serve at once", "web", 1, 2, 3, 4, 5)
	becomes(t, "reloads", []string{"start", "slots"}, s.ha.causes)
	applied := func() float64 { return s.metric(t, "haproxyzk_apply_duration_seconds") }
	same(t, "applied", 1, applied())
	s.set("web", 1, 3, 4, 5, 6, 7, 8) // during the reload
	s.serves(t, "instance leaving during reload is out", "web", 1, 0, 3, 4, 5)
	release()
	s.serves(t, "the doubled table, with what came and left meanwhile", "web", 1, 0, 3, 4, 5, 6, 7, 8, 0, 0)
	becomes(t, "applied", 2, applied)
	same(t, "the last to enter before the reload", "server web7 10.0.0.7:80 check", s.ha.renderedLine("web7"))
	for i := range 2 {
		// The departed instance may be taken out before the reload ends, in a write of
		// its own, and again afterwards.
		commands := slices.Concat(s.ha.worker(i).changes()...)
		slices.Sort(commands)
		want := write(enters("web/web8", 8), leaves("web/web2"))
		slices.Sort(want)
		same(t, "commands to a new worker", want, slices.Compact(commands))
	}
	s.endsWith(t, "start", "slots")
}

func TestStartHasSlotsForAllInstances(t *testing.T) {
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

func TestSlotWithSessionsIsNotReused(t *testing.T) {
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

func TestSlotIsNotReusedInTheWriteThatDrainsIt(t *testing.T) {
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

func TestSessionsAreCountedUntilNoneRemain(t *testing.T) {
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
	same(t, "draining", nil, s.table(0).Draining())
	if !s.fleet.countAt.IsZero() {
		t.Error("sessions are still to be counted")
	}
}

func BenchmarkApply(b *testing.B) {
	var backends []haproxy.Backend
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
		s.rests()
	}
	if n := len(s.ha.worker(0).changes()); n != b.N {
		b.Errorf("%d writes for %d changes", n, b.N)
	}
	if !slices.Equal(s.ha.causes(), []string{"start"}) {
		b.Errorf("reloads: %v", s.ha.causes())
	}
}

func TestAddressEntersNewGroupAfterAllWorkersDropIt(t *testing.T) {
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

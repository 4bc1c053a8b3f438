package hactl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// fakeHAProxy is a [Reloader] whose workers are goroutines. They answer on real stats
// sockets like HAProxy 2.2, and have the servers of the configuration that they were
// launched with.
type fakeHAProxy struct {
	sockets []*fakeSocket
	died    chan int
	crowded atomic.Bool

	mu       sync.Mutex
	launches []fakeLaunch
	files    []registry.Launch // rewritten since the last launch
	workers  []*fakeWorker     // of the serving generation, one per socket
	// The behavior of the next Reload.
	fail        error
	failAt      int           // fail affects the launch after this many; 0 means all
	refuse      []string      // configurations containing one of these are rejected
	alertsLines bool          // errors name the line
	hold        chan struct{} // if not nil, it waits until this is closed
	shared      int           // this many connections of each socket still reach the previous generation
	shape       string        // of a running HAProxy; empty if unknown
	unread      []string      // waits on the first socket for the new worker to run
}

type fakeLaunch struct {
	registry.Launch
	at time.Time
}

func newFakeHAProxy(tb testing.TB, sockets int) *fakeHAProxy {
	tb.Helper()
	ha := &fakeHAProxy{died: make(chan int, 10)}
	dir := tb.TempDir()
	for i := range sockets {
		ha.sockets = append(ha.sockets, newFakeSocket(tb, filepath.Join(dir, strconv.Itoa(i))))
	}
	return ha
}

func (ha *fakeHAProxy) Died() <-chan int { return ha.died }

func (ha *fakeHAProxy) Crowded() bool { return ha.crowded.Load() }

// Rewrite records the files.
func (ha *fakeHAProxy) Rewrite(launch registry.Launch) {
	ha.mu.Lock()
	defer ha.mu.Unlock()
	ha.files = append(ha.files, launch)
}

// Adopt adopts running workers of a matching shape.
func (ha *fakeHAProxy) Adopt(_ context.Context, launch registry.Launch) (pids []int, err error) {
	ha.mu.Lock()
	defer ha.mu.Unlock()
	if ha.shape == "" || launch.Shape != ha.shape {
		return nil, errors.New("it is of another shape")
	}
	ha.workers = nil
	for _, s := range ha.sockets {
		w := s.take()
		ha.workers = append(ha.workers, w)
		pids = append(pids, w.pid)
	}
	return pids, nil
}

func (ha *fakeHAProxy) Reload(ctx context.Context, launch registry.Launch) (pids []int, err error) {
	ha.mu.Lock()
	defer ha.mu.Unlock()
	ha.launches = append(ha.launches, fakeLaunch{launch, time.Now()})
	if hold := ha.hold; hold != nil {
		ha.mu.Unlock()
		select {
		case <-hold:
		case <-ctx.Done():
		}
		ha.mu.Lock()
	}
	if err := errors.Join(ctx.Err(), ha.failure()); err != nil {
		return nil, err
	}
	if said := ha.complain(string(launch.Config)); said != "" {
		return nil, fmt.Errorf("%w: %s", registry.ErrRefused, said)
	}
	ha.workers, ha.files = nil, nil
	for i, s := range ha.sockets {
		w := newFakeWorker(100*len(ha.launches)+i, launch.Config)
		w.maps.load(launch.Maps)
		if i == 0 {
			w.do(ha.unread...)
		}
		s.handOver(w, ha.shared)
		ha.workers, pids = append(ha.workers, w), append(pids, w.pid)
	}
	return pids, nil
}

func (ha *fakeHAProxy) failure() error {
	if ha.failAt == 0 {
		return ha.fail
	}
	if ha.failAt--; ha.failAt > 0 {
		return nil
	}
	defer func() { ha.fail = nil }()
	return ha.fail
}

// complain returns the error for a rejected configuration; with alertsLines it also
// warns about every backend.
func (ha *fakeHAProxy) complain(config string) string {
	wrong := func(text string) bool {
		return slices.ContainsFunc(ha.refuse, func(part string) bool { return strings.Contains(text, part) })
	}
	switch {
	case !wrong(config):
		return ""
	case !ha.alertsLines:
		return "something"
	}
	var said strings.Builder
	for i, line := range strings.Split(config, "\n") {
		switch {
		case wrong(line):
			fmt.Fprintf(&said, "[ALERT]    (4711) : config : parsing [/run/x.conf.new:%d] : this\n", i+1)
		case strings.HasPrefix(line, "backend"):
			fmt.Fprintf(&said, "[WARNING] : parsing [/run/x.conf.new:%d] : hiding headers\n", i+1)
		}
	}
	return said.String()
}

// meet sets the behavior of the next Reload.
func (ha *fakeHAProxy) meet(change func()) {
	ha.mu.Lock()
	defer ha.mu.Unlock()
	change()
}

// holdReload makes Reload wait until unblock is called.
func (ha *fakeHAProxy) holdReload() (unblock func()) {
	hold := make(chan struct{})
	ha.meet(func() { ha.hold = hold })
	return func() {
		ha.meet(func() { ha.hold = nil })
		close(hold)
	}
}

// kill ends a worker unexpectedly.
func (ha *fakeHAProxy) kill(i int) { ha.died <- ha.worker(i).pid }

func (ha *fakeHAProxy) worker(i int) *fakeWorker {
	ha.mu.Lock()
	defer ha.mu.Unlock()
	return ha.workers[i]
}

func (ha *fakeHAProxy) causes() (causes []string) {
	ha.mu.Lock()
	defer ha.mu.Unlock()
	for _, l := range ha.launches {
		causes = append(causes, l.Cause)
	}
	return causes
}

// lastConfig returns the configuration of the last launch.
func (ha *fakeHAProxy) lastConfig() []byte {
	ha.mu.Lock()
	defer ha.mu.Unlock()
	return ha.launches[len(ha.launches)-1].Config
}

// renderedLine returns the line of a server, or of the template that it belongs to, in the
// last configuration.
func (ha *fakeHAProxy) renderedLine(server string) string {
	for line := range strings.Lines(string(ha.lastConfig())) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "server" && words[1] == server {
			return strings.Join(words, " ")
		}
	}
	return "none"
}

// serving returns [fakeWorker.serving] of each worker.
func (ha *fakeHAProxy) serving(backend string) (all [][]int) {
	ha.mu.Lock()
	defer ha.mu.Unlock()
	for _, w := range ha.workers {
		all = append(all, w.serving(backend))
	}
	return all
}

func TestDeadWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1)
	s.serve(t)
	dead := s.ha.worker(0)
	release := s.ha.holdReload()
	s.ha.kill(0)
	becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
	if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "worker died") {
		t.Errorf("ready: %v", err)
	}
	s.set("web", 1, 2)
	release()
	s.serves(t, "all workers", "web", 1, 2, 0)
	becomes(t, "ready", true, s.isReady)
	s.ha.died <- dead.pid // already replaced
	s.endsWith(t, "start", "worker died")
}

func TestWorkersDyingTogetherAreReplacedByOneReload(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1)
	s.serve(t)
	s.ha.kill(0)
	s.ha.kill(1)
	s.set("web", 1, 2)
	becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
	s.serves(t, "all workers", "web", 1, 2, 0)
	becomes(t, "ready", true, s.isReady)
	s.endsWith(t, "start", "worker died")
}

// If a worker dies between its start and the first query, the query's timeout is not
// awaited, and the other workers are updated in the meantime.
func TestWorkerDyingBeforeFirstQueryIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1)
	s.serve(t)
	before := s.ha.worker(0)
	s.ha.meet(func() { s.ha.shared = 1 << 30 })
	s.Reload("signal")
	becomes(t, "another generation", true, func() bool { return s.ha.worker(0) != before })
	s.ha.meet(func() { s.ha.shared = 0 })
	release := s.ha.holdReload()
	begun := time.Now()
	s.ha.died <- before.pid // of the previous generation, already replaced
	s.ha.worker(0).stopAnswering(false)
	s.ha.kill(0)
	for _, socket := range s.ha.sockets {
		socket.lend(nil, 0) // the previous generation has stopped listening
	}
	other := s.ha.worker(1)
	s.set("web", 1, 2)
	becomes(t, "the other one serves", []int{1, 2, 0}, func() []int { return other.serving("web") })
	becomes(t, "reloads", []string{"start", "signal", "worker died"}, s.ha.causes)
	same(t, "ready", false, s.isReady())
	release()
	becomes(t, "ready", true, s.isReady)
	if took := time.Since(begun); took > adoptWithin/2 {
		t.Errorf("it was replaced after %v", took)
	}
	s.serves(t, "all workers", "web", 1, 2, 0)
	s.endsWith(t, "start", "signal", "worker died")
}

// Without a living worker there is nothing to wait for.
func TestWorkersAllDyingBeforeFirstQueryAreReplacedAtOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1)
	s.ha.meet(func() { s.ha.shared = 1 << 30 })
	s.begin(t)
	becomes(t, "reloads", []string{"start"}, s.ha.causes)
	s.ha.meet(func() { s.ha.shared = 0 })
	s.ha.kill(0)
	s.ha.kill(1)
	s.serves(t, "all workers", "web", 1, 0, 0)
	becomes(t, "ready", true, s.isReady)
	s.endsWith(t, "start", "worker died")
}

// The socket of a dead worker may accept and then hang.
func TestWorkerDyingDuringQueryIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1)
	s.serve(t)
	dead := s.ha.worker(0)
	dead.stopAnswering(false)
	s.set("web", 1, 2)
	becomes(t, "connections that hung", 1, dead.hanging)
	begun := time.Now()
	s.ha.kill(0)
	s.serves(t, "all workers", "web", 1, 2, 0)
	if took := time.Since(begun); took > s.options.Timeout/2 {
		t.Errorf("it was replaced after %v", took)
	}
	// Commands sent to it are executed by the next owner of its socket.
	becomes(t, "the next one is read", true, func() bool { return s.ha.worker(0).asked("show servers state") > 0 })
	s.endsWith(t, "start", "worker died")
}

func TestFailedReloadsBackOff(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1)
	s.serve(t)
	dead, other := s.ha.worker(0), s.ha.worker(1)
	s.ha.meet(func() { s.ha.fail = errors.New("cannot bind socket") })
	s.ha.kill(0)
	becomes(t, "reloads", 3, func() int { return len(s.ha.causes()) })
	if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "worker died") {
		t.Errorf("ready: %v", err)
	}
	becomes(t, "ready says why", true, func() bool {
		err := s.Ready()
		return err != nil && strings.Contains(err.Error(), "cannot bind socket")
	})
	becomes(t, "how the launch ended", "worker died: cannot bind socket", func() string { return s.Launched().Cause + ": " + s.Launched().Error })
	s.set("web", 2, 3)
	becomes(t, "running generation unchanged", []int{0, 2, 3}, func() []int { return other.serving("web") })
	same(t, "writes to the dead one", nil, dead.changes())
	becomes(t, "reloads", 4, func() int { return len(s.ha.causes()) })
	s.ha.meet(func() { s.ha.fail = nil })
	s.serves(t, "all workers", "web", 0, 2, 3)
	becomes(t, "ready", true, s.isReady)
	same(t, "how the launch ended", "worker died: ", s.Launched().Cause+": "+s.Launched().Error)
	s.endsWith(t, "start", "worker died", "worker died", "worker died", "worker died")
	// The backoff starts with the death of so young a worker: 100 ms, doubled each
	// time, ±50 %.
	for i, atLeast := range []time.Duration{50, 100, 200, 400} {
		if gap := s.ha.launches[i+1].at.Sub(s.ha.launches[i].at); gap < atLeast*time.Millisecond {
			t.Errorf("reload %d followed after %v", i+1, gap)
		}
	}
}

func TestWorkerOfASettledGenerationIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web", 1)
	s.launch(t)
	for range 10 {
		s.reloads.backoff.NextBackOff() // several starts had failed
	}
	s.passes(settled)
	s.replaceDead(s.ha.worker(1).pid)
	s.step(t.Context())
	same(t, "reloads", []string{"start", "worker died"}, s.ha.causes())
	s.replaceDead(s.ha.worker(1).pid)
	if wait := s.next().Sub(s.time()); wait > time.Second {
		t.Errorf("the backoff did not begin anew: %v", wait)
	}
}

func TestOneReloadAddsAllMissingSlots(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4))
	s.set("web", 1, 2, 3, 4)
	s.serve(t)
	w := s.ha.worker(0)
	w.setSessions("web/web1", 1)
	w.setSessions("web/web2", 1)
	s.set("web", 3, 4)
	s.serves(t, "two have left, their sessions remain", "web", 0, 0, 3, 4)
	s.set("web", 3, 4, 5, 6, 7, 8, 9)
	s.serves(t, "five enter", "web", 0, 0, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 0)
	s.endsWith(t, "start", "slots")
}

func TestReloadForSlotsIsWantedOnlyWhileSlotsAreMissing(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	step := func(what string, cause Cause, last ...int) {
		t.Helper()
		s.set("web", last...)
		s.step(t.Context())
		same(t, what, cause, s.wanted())
	}
	s.launch(t)
	s.ha.crowded.Store(true)
	step("one too many", "slots", 1, 2, 3)
	step("it has left", "", 1, 2)
	s.ha.crowded.Store(false)
	s.passes(crowdedRetry)
	s.ha.fail = errors.New("refused")
	step("one too many, and the reload fails", "slots", 1, 2, 3)
	step("it has left, but the table has grown", "slots", 1, 2)
	same(t, "reload error", "the last reload (slots) did not succeed: refused", s.Snapshot().ReloadError)
	same(t, "ready: the previous generation still serves", true, s.isReady())
}

// HAProxy's messages contain pids and times, which are ignored when comparing them.
func TestRepeatedReloadFailureIsLoggedOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	var logged strings.Builder
	s.with(func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	try := func(failure error) {
		t.Helper()
		s.ha.fail = failure
		if err := s.replaceGeneration(t.Context(), "slots"); (err == nil) != (failure == nil) {
			t.Errorf("reload: %v", err)
		}
	}
	count := func(words string) int { return strings.Count(logged.String(), words) }
	try(nil)
	for range 2 {
		for pid := range 5 {
			try(fmt.Errorf("[ALERT] 325/10190%d (%d) : cannot bind socket", pid, 4711+pid))
		}
		try(errors.New("no space left on device"))
		try(errors.New("no space left on device"))
		try(nil)
		try(nil)
	}
	same(t, "cannot bind", 2, count("cannot bind"))
	same(t, "no space", 2, count("no space"))
	same(t, "the end", 2, count("reloads succeed again"))
}

func TestReloadWaitsForDrainingGenerationsUnlessUrgent(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	s.set("web", 1)
	s.launch(t)
	step := func(what string, causes ...string) {
		t.Helper()
		s.step(t.Context())
		same(t, what, causes, s.ha.causes())
	}
	s.ha.crowded.Store(true)
	s.passes(crowdedGap / 2)
	s.set("web", 1, 2, 3)
	step("slots wait", "start")
	if wait := s.next().Sub(s.time()); wait <= 0 || wait > crowdedRetry {
		t.Errorf("it is tried again in %v", wait)
	}
	s.passes(crowdedGap / 2)
	step("but no longer than a minute", "start", "slots")

	s.passes(crowdedGap / 2)
	s.Reload("signal")
	step("requested reload waits", "start", "slots")
	s.replaceDead(s.ha.worker(0).pid)
	step("a worker's death does not", "start", "slots", "worker died")

	s.passes(crowdedGap / 2)
	s.Reload("signal")
	step("and the next one waits again", "start", "slots", "worker died")
	s.ha.crowded.Store(false)
	s.passes(crowdedRetry)
	step("until old generations have drained", "start", "slots", "worker died", "signal")

	s.ha.crowded.Store(true)
	s.passes(crowdedGap / 2)
	frame := s.options.Frame
	frame.ListenerPort++
	source := s.Stage(Layout{Template: s.options.Template, Frame: frame, Backends: s.options.Backends})
	source.fill("web", 1)
	step("another layout waits", "start", "slots", "worker died", "signal")
	s.passes(crowdedGap / 2)
	step("no longer than a minute", "start", "slots", "worker died", "signal", "configuration")
}

func TestFileDescriptorsNeededByTables(t *testing.T) {
	now := time.Now()
	table := slots.New(slots.Options{Size: 8, Drain: time.Minute})
	table.Assign(instances(1, 2, 3, 4, 5, 6), now)
	table.Override(5, haproxy.Server{Admin: haproxy.Maint})
	table.Assign(instances(1, 2, 4, 5), now)
	same(t, "instances that drain", 1, table.Leaving())
	if wanted, needed := (rendition{tables: []*slots.Table{table}}).files(nil); wanted != 508 || needed != 505 {
		t.Errorf("%d descriptors wanted, %d needed", wanted, needed)
	}
}

package supervisor

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// stage is a running fake HAProxy in its own directory.
type stage struct {
	*HAProxy
	t       *testing.T
	dir     string
	metrics *prometheus.Registry
	stop    context.CancelFunc
	fails   context.CancelCauseFunc
	over    chan struct{}
	result  error // of Run, once over is closed
}

// newStage fills in missing options.
func newStage(t *testing.T, o Options) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), metrics: prometheus.NewRegistry(), over: make(chan struct{})}
	o.Proxy, o.Logger = "ngboss", slog.New(slog.DiscardHandler)
	o.Exec = filepath.Join(s.dir, "haproxy")
	o.ConfFile = filepath.Join(s.dir, "haproxy.cfg")
	o.PIDFile = filepath.Join(s.dir, "haproxy.pid")
	o.Record = filepath.Join(s.dir, "haproxy.workers")
	o.Metrics, o.Prober = NewMetrics(s.metrics), prober{s.dir}
	if o.Reaper == nil {
		o.Reaper = runReaper(t)
	}
	if o.StopGrace == 0 {
		o.StopGrace = soon
	}
	if err := os.Symlink(fakeHAProxy, o.Exec); err != nil {
		t.Fatal(err)
	}
	s.HAProxy = New(o)
	return s
}

// startStage starts Run.
func startStage(t *testing.T, o Options) *stage {
	t.Helper()
	s := newStage(t, o)
	s.begin()
	return s
}

func (s *stage) begin() {
	ctx, fail := context.WithCancelCause(context.Background())
	s.stop, s.fails = func() { fail(nil) }, fail
	go func() {
		defer close(s.over)
		s.result = s.Run(ctx)
	}()
	s.t.Cleanup(func() { _ = s.end() })
}

// end stops Run and returns its error.
func (s *stage) end() error {
	s.t.Helper()
	s.stop()
	select {
	case <-s.over:
	case <-time.After(soon):
		s.t.Fatal("Run does not return")
	}
	return s.result
}

func (s *stage) try(ctx context.Context, config string) ([]int, error) {
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	return s.Reload(ctx, registry.Launch{Config: []byte(config), Cause: "slots"})
}

func (s *stage) reload(config string) []int {
	s.t.Helper()
	pids, err := s.try(s.t.Context(), config)
	if err != nil {
		s.t.Fatal(err)
	}
	return pids
}

type reloadResult struct {
	pids []int
	err  error
}

// startReload starts a reload and returns its future result.
func (s *stage) startReload(ctx context.Context, config string) <-chan reloadResult {
	outcome := make(chan reloadResult, 1)
	go func() {
		pids, err := s.try(ctx, config)
		outcome <- reloadResult{pids, err}
	}()
	return outcome
}

func (s *stage) await(outcome <-chan reloadResult) reloadResult {
	s.t.Helper()
	select {
	case o := <-outcome:
		return o
	case <-time.After(soon):
		s.t.Fatal("Reload does not return")
		return reloadResult{}
	}
}

// waitForDeath waits until the deaths of pids have been reported.
func (s *stage) waitForDeath(pids ...int) {
	s.t.Helper()
	for range pids {
		select {
		case pid := <-s.Died():
			if !slices.Contains(pids, pid) {
				s.t.Errorf("the death of %d was reported, want one of %d", pid, pids)
			}
		case <-time.After(soon):
			s.t.Fatal("no death is reported")
		}
	}
}

// lines returns the lines that the fake HAProxy wrote to a file.
func (s *stage) lines(file string) []string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(text)))
}

// launched returns the arguments of the latest launch.
func (s *stage) launched() []string {
	s.t.Helper()
	calls := s.lines("calls")
	for _, call := range slices.Backward(calls) {
		if args := strings.Fields(call); args[0] == "-D" {
			return args
		}
	}
	s.t.Fatalf("no launch in %q", calls)
	return nil
}

// signals returns the names of the signals a worker received, in order.
func (s *stage) signals(pid int) []string {
	s.t.Helper()
	var names []string
	for _, line := range s.lines("signals") {
		if name, ok := strings.CutPrefix(line, strconv.Itoa(pid)+" "); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

// finish ends the connections of busy workers. It first waits until each has been asked
// to finish, because a worker ignores SIGUSR2 before that.
func (s *stage) finish(pids ...int) {
	s.t.Helper()
	for _, pid := range pids {
		eventually(s.t, "a worker is asked to finish", func() bool { return slices.Contains(s.signals(pid), "SIGUSR1") })
		kill(s.t, pid, unix.SIGUSR2)
	}
}

// assertNotSignaled fails the test if a worker received a signal. A SIGUSR2 shows that
// the worker would have recorded an earlier one.
func (s *stage) assertNotSignaled(pids ...int) {
	s.t.Helper()
	for _, pid := range pids {
		pings := len(s.signals(pid)) + 1
		kill(s.t, pid, unix.SIGUSR2)
		eventually(s.t, "the worker notes a signal", func() bool { return len(s.signals(pid)) >= pings })
		if got := s.signals(pid); slices.ContainsFunc(got, func(name string) bool { return name != "SIGUSR2" }) {
			s.t.Errorf("worker %d got %q", pid, got)
		}
	}
}

// answer makes silent workers answer.
func (s *stage) answer(pids ...int) {
	s.t.Helper()
	for _, pid := range pids {
		if err := os.WriteFile(socketOf(s.dir, pid), nil, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// silence makes workers stop answering.
func (s *stage) silence(pids ...int) {
	s.t.Helper()
	for _, pid := range pids {
		if err := os.Remove(socketOf(s.dir, pid)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// metric returns the sum of the series with all of the label values, or -1 if there is
// none.
func (s *stage) metric(name string, values ...string) float64 {
	s.t.Helper()
	families, err := s.metrics.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	found := -1.0
	for _, family := range families {
		if family.GetName() != "haproxyzk_"+name {
			continue
		}
		for _, series := range family.GetMetric() {
			var has []string
			for _, label := range series.GetLabel() {
				has = append(has, label.GetValue())
			}
			if !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(has, v) }) {
				found = max(found, 0) + series.GetGauge().GetValue() + series.GetCounter().GetValue()
			}
		}
	}
	return found
}

// waitForMetric waits for a metric.
func (s *stage) waitForMetric(want float64, name string, values ...string) {
	s.t.Helper()
	eventually(s.t, name+" "+strings.Join(values, " ")+" is as expected", func() bool { return s.metric(name, values...) == want })
}

// prober treats a living worker as answering if the file PID.sock exists. While a file
// named short exists, it is out of file descriptors.
type prober struct{ dir string }

func (p prober) Probe(ctx context.Context, pids []int) (map[int]string, error) {
	answered := make(map[int]string)
	if _, err := os.Stat(filepath.Join(p.dir, "short")); err == nil {
		return answered, unix.EMFILE
	}
	for {
		for _, pid := range pids {
			path := socketOf(p.dir, pid)
			if _, err := os.Stat(path); err == nil && unix.Kill(pid, 0) == nil {
				answered[pid] = path
			}
		}
		if len(answered) == len(pids) {
			return answered, nil
		}
		select {
		case <-ctx.Done():
			return answered, nil
		case <-time.After(time.Millisecond):
		}
	}
}

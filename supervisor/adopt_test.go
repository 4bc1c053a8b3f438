package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// shape is the shape of every configuration in these tests but one.
const shape = "as ever"

// leaves runs a daemon that starts HAProxy with each of configs and then detaches. It
// returns the next daemon and the pids of each generation.
func leaves(t *testing.T, o Options, configs ...string) (next *stage, pids [][]int) {
	t.Helper()
	detach := make(chan struct{})
	o.Detach = detach
	before := startStage(t, o)
	for _, config := range configs {
		started, err := before.Reload(t.Context(), registry.Launch{Config: []byte(config), Shape: shape, Cause: "slots"})
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, started)
	}
	for _, old := range slices.Concat(pids[:len(pids)-1]...) {
		eventually(t, "the old workers are asked to finish", func() bool { return slices.Contains(before.signals(old), "SIGUSR1") })
	}
	close(detach)
	if err := before.end(); err != nil {
		t.Fatal(err)
	}
	o = before.Options
	next = &stage{t: t, dir: before.dir, metrics: prometheus.NewRegistry(), over: make(chan struct{})}
	o.Detach, o.Metrics = nil, NewMetrics(next.metrics)
	next.HAProxy = New(o)
	return next, pids
}

func (s *stage) adopts(shape string) ([]int, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), soon)
	defer cancel()
	return s.Adopt(ctx, registry.Launch{Config: []byte("rendered anew"), Shape: shape, Cause: "start"})
}

func TestAdoptKeepsRunningHAProxy(t *testing.T) {
	s, before := leaves(t, Options{}, "workers 2")
	pids := before[0]
	s.begin()
	if got, err := s.adopts(shape); err != nil || !slices.Equal(got, pids) {
		t.Fatalf("Adopt: %d, %v; want %d", got, err, pids)
	}
	s.generationsAre(pids)
	s.assertNotSignaled(pids...)
	if calls := s.lines("calls"); len(calls) != 1 {
		t.Errorf("HAProxy was called: %q", calls)
	}
	if n := s.metric("reloads_total"); n != 0 {
		t.Errorf("%v reloads are counted", n)
	}
	if text, err := os.ReadFile(s.ConfFile); err != nil || string(text) != "rendered anew" {
		t.Errorf("the configuration is %q, %v", text, err)
	}

	kill(t, pids[0], unix.SIGKILL)
	s.waitForDeath(pids[0])
	next := s.reload("workers 2")
	s.generationsAre(next)
	eventually(t, "the other worker is asked to finish", func() bool { return slices.Contains(s.signals(pids[1]), "SIGUSR1") })
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.PIDFile + proofSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the record still exists: %v", err)
	}
}

func TestAdoptedGenerationSurvivesFailedReload(t *testing.T) {
	s, before := leaves(t, Options{}, "")
	s.begin()
	if _, err := s.adopts(shape); err != nil {
		t.Fatal(err)
	}
	if _, err := s.try(t.Context(), "refuse"); !errors.Is(err, registry.ErrRefused) {
		t.Fatalf("Reload: %v", err)
	}
	s.generationsAre(before[0])
	s.assertNotSignaled(before[0]...)
	kill(t, before[0][0], unix.SIGKILL)
	s.waitForDeath(before[0]...)
}

// Draining generations are asked to finish again and keep the rest of their time.
func TestAdoptKeepsDrainingGenerations(t *testing.T) {
	s, before := leaves(t, Options{HardStopAfter: 2 * time.Second}, "busy", "")
	begun := time.Now()
	s.begin()
	if got, err := s.adopts(shape); err != nil || !slices.Equal(got, before[1]) {
		t.Fatalf("Adopt: %d, %v; want %d", got, err, before[1])
	}
	for _, g := range s.Generations() {
		if !g.Since.Before(begun) {
			t.Errorf("generation %+v, adopted %v", g, begun)
		}
	}
	s.generationsAre(before[1])
	s.waitForMetric(1, "worker_exits_total", "killed")
}

// Any difference from the record is left to a reload, which takes over.
func TestAdoptRejectsUnrecordedHAProxy(t *testing.T) {
	for _, tt := range []struct {
		name   string
		shape  string
		change func(*stage, []int)
		want   string
	}{
		{name: "another configuration", shape: "another", want: "configuration has changed"},
		{name: "another executable", change: func(s *stage, _ []int) {
			content, err := os.ReadFile(s.Exec)
			if err == nil {
				err = os.Remove(s.Exec)
			}
			if err == nil {
				err = os.WriteFile(s.Exec, content, 0o700) //nolint:gosec // it is executed
			}
			if err != nil {
				s.t.Fatal(err)
			}
		}, want: "executable"},
		{name: "a worker has died", change: func(s *stage, pids []int) {
			kill(s.t, pids[0], unix.SIGKILL)
			eventually(s.t, "it ends", func() bool { return !slices.Contains(children(s.t), pids[0]) })
		}, want: "1 of 2 workers"},
		{name: "a worker died before it was recorded", change: func(s *stage, pids []int) {
			kill(s.t, pids[0], unix.SIGKILL)
			r, err := readProof(s.PIDFile + proofSuffix)
			if err != nil {
				s.t.Fatal(err)
			}
			r.Serving.Workers = slices.DeleteFunc(r.Serving.Workers, func(w provenWorker) bool { return w.PID == pids[0] })
			text, err := json.Marshal(r)
			if err == nil {
				err = os.WriteFile(s.PIDFile+proofSuffix, text, recordMode)
			}
			if err != nil {
				s.t.Fatal(err)
			}
			eventually(s.t, "it ends", func() bool { return !slices.Contains(children(s.t), pids[0]) })
		}, want: "1 of 2 workers"},
		{name: "a worker does not answer", change: func(s *stage, pids []int) { s.silence(pids[0]) }, want: "do not answer"},
		{name: "an unrecorded process", change: func(s *stage, pids []int) {
			s.earlier("")
			s.writePIDFile(pids...)
		}, want: "belongs to no recorded generation"},
		{name: "no record", change: func(s *stage, _ []int) {
			if err := os.Remove(s.PIDFile + proofSuffix); err != nil {
				s.t.Fatal(err)
			}
		}, want: "no such file"},
		{name: "a record behind a link", change: func(s *stage, _ []int) {
			other := filepath.Join(s.dir, "other")
			err := os.Rename(s.PIDFile+proofSuffix, other)
			if err == nil {
				err = os.Symlink(other, s.PIDFile+proofSuffix)
			}
			if err != nil {
				s.t.Fatal(err)
			}
		}, want: "symbolic link"},
		{name: "a record that is none", change: func(s *stage, _ []int) {
			if err := os.WriteFile(s.PIDFile+proofSuffix, []byte("{"), 0o600); err != nil {
				s.t.Fatal(err)
			}
		}, want: "JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, before := leaves(t, Options{}, "workers 2")
			if tt.change != nil {
				tt.change(s, before[0])
			}
			if tt.shape == "" {
				tt.shape = shape
			}
			s.begin()
			if got, err := s.adopts(tt.shape); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Adopt: %d, %v; want %q", got, err, tt.want)
			}
			if g := s.Generations(); len(g) > 0 {
				t.Errorf("generations %+v", g)
			}
			s.generationsAre(s.reload(""))
		})
	}
}

func TestAdoptWithoutRunningHAProxy(t *testing.T) {
	s := startStage(t, Options{})
	if got, err := s.adopts(shape); !errors.Is(err, ErrNoneRuns) {
		t.Errorf("Adopt: %d, %v", got, err)
	}
}

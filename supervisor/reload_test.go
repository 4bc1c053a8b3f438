package supervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestReload(t *testing.T) {
	s := startStage(t, Options{})
	old := s.reload("workers 2 busy")

	outcome := s.startReload(t.Context(), "workers 2 silent")
	eventually(t, "the new workers run", func() bool { return len(children(t)) == 4 })
	var next []int
	eventually(t, "the launcher has ended", func() bool {
		next, _ = readPIDs(s.PIDFile)
		return slices.Equal(children(t), slices.Sorted(slices.Values(slices.Concat(old, next))))
	})
	s.assertNotSignaled(old...)
	s.answer(next[0])
	s.assertNotSignaled(old...)
	if len(outcome) > 0 {
		t.Error("Reload returned before all new workers answer")
	}
	s.answer(next[1])
	got := s.await(outcome)
	if got.err != nil || !slices.Equal(got.pids, next) {
		t.Fatalf("Reload: %d, %v; the pid file has %d", got.pids, got.err, next)
	}
	for _, pid := range old {
		eventually(t, "the old workers are asked to finish", func() bool { return slices.Contains(s.signals(pid), "SIGUSR1") })
	}
	args := s.launched()
	if slices.Contains(args, "-sf") || len(args) != 7 || args[5] != "-x" {
		t.Errorf("the launch was %q", args)
	}
	if x := args[6]; x != socketOf(s.dir, old[0]) && x != socketOf(s.dir, old[1]) {
		t.Errorf("listeners came from %s", x)
	}
	s.waitForMetric(2, "workers", "running")
	s.waitForMetric(2, "workers", "draining")

	kill(t, old[0], unix.SIGUSR2)
	s.waitForMetric(1, "workers", "draining")
	kill(t, old[1], unix.SIGUSR2)
	s.waitForMetric(0, "workers", "draining")
	s.waitForMetric(2, "worker_exits_total", "drained")
	s.waitForMetric(2, "reloads_total", "ok")
	waitForChildren(t, next...)
	s.assertNotSignaled(next...)
	if len(s.Died()) > 0 {
		t.Error("the end of a replaced worker is reported as a death")
	}
}

func TestReleasingPrecedesTheSignal(t *testing.T) {
	var s *stage
	var old []int
	calls := 0
	s = startStage(t, Options{Releasing: func(context.Context) {
		calls++
		s.assertNotSignaled(old...)
		if n := len(children(t)); n != 4 {
			t.Errorf("%d workers run", n)
		}
	}})
	old = s.reload("workers 2")
	if calls != 0 {
		t.Error("called at the start, when there is nothing to release")
	}
	if err := s.fail("workers 2 die-at-once", false); err == nil || calls != 0 {
		t.Errorf("called by a failed reload: %v", err)
	}
	s.reload("workers 2")
	if calls != 1 {
		t.Errorf("called %d times", calls)
	}
}

// failures are reasons for a reload to fail; giveUp means that the caller cancels once
// the workers exist.
var failures = []struct {
	name    string
	config  string
	giveUp  bool
	refused bool
}{
	{name: "the file is refused", config: "refuse", refused: true},
	{name: "the launcher fails", config: "bind-fails"},
	{name: "the launcher fails half-way", config: "workers 2 fork-fails"},
	{name: "the launcher hangs", config: "workers 2 hang", giveUp: true},
	{name: "the launcher leaves no workers", config: "workers 0"},
	{name: "the launcher does not write the pid file", config: "no-pids"},
	{name: "the launcher lists a foreign process", config: "workers 2 wrong-pids"},
	{name: "the workers die at once", config: "workers 2 die-at-once"},
	{name: "the workers are silent", config: "workers 2 silent stubborn"},
	{name: "one worker is silent", config: "workers 2 half-silent", giveUp: true},
	{name: "the caller gives up", config: "workers 2 silent", giveUp: true},
}

// fail runs a reload that must fail.
func (s *stage) fail(config string, giveUp bool) error {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	before := children(s.t)
	outcome := s.startReload(ctx, config)
	if giveUp {
		processes := len(before) + 2
		if strings.Contains(config, "hang") {
			processes = len(before) + 1 // plus the launcher, which has not left them yet
		}
		eventually(s.t, "the workers are there", func() bool {
			pids, err := readPIDs(s.PIDFile)
			return err == nil && len(pids) == 2 && !slices.Contains(before, pids[0]) && len(children(s.t)) == processes
		})
		cancel()
	}
	got := s.await(outcome)
	if got.err == nil || got.pids != nil {
		s.t.Errorf("Reload: %d, %v", got.pids, got.err)
	}
	if giveUp && !errors.Is(got.err, context.Canceled) {
		s.t.Errorf("Reload: %v", got.err)
	}
	return got.err
}

func TestFailedReloadChangesNothing(t *testing.T) {
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			s := startStage(t, Options{})
			old := s.reload("workers 2")
			conf, pids := contents(t, s.ConfFile), contents(t, s.PIDFile)

			err := s.fail(tt.config, tt.giveUp)
			if errors.Is(err, registry.ErrRefused) != tt.refused {
				t.Errorf("Reload: %v", err)
			}
			if got := contents(t, s.ConfFile); got != conf {
				t.Errorf("the configuration became %q", got)
			}
			if got := contents(t, s.PIDFile); got != pids {
				t.Errorf("the pid file became %q", got)
			}
			waitForChildren(t, old...)
			s.assertNotSignaled(old...)
			s.waitForMetric(2, "workers", "running")
			s.waitForMetric(0, "workers", "draining")
			s.waitForMetric(1, "reloads_total", "error")
			if len(s.Died()) > 0 {
				t.Error("the end of a new worker is reported as a death")
			}

			next := s.reload("workers 2")
			if args := s.launched(); args[5] != "-x" {
				t.Errorf("the launch after it was %q", args)
			}
			waitForChildren(t, next...)
		})
	}
}

// A generation accepts connections from its start. Retiring it loses none of them,
// except those of a worker that might never end.
func TestUnprovenGenerationFinishesItsConnections(t *testing.T) {
	for _, tt := range []struct {
		name, config string
		fails        func(s *stage, giveUp func(), answering, other int)
	}{
		{"the caller gives up", "workers 2 half-silent busy", func(_ *stage, giveUp func(), _, _ int) { giveUp() }},
		{"one dies", "workers 2 silent busy", func(s *stage, _ func(), answering, other int) {
			s.answer(answering)
			kill(s.t, other, unix.SIGKILL)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startStage(t, Options{})
			old := s.reload("workers 2")
			ctx, giveUp := context.WithCancel(t.Context())
			defer giveUp()
			outcome := s.startReload(ctx, tt.config)
			var next []int
			eventually(t, "the workers are there", func() bool {
				next, _ = readPIDs(s.PIDFile)
				return len(next) == 2 && !slices.Contains(old, next[0]) && len(children(t)) == 4
			})
			tt.fails(s, giveUp, next[0], next[1])
			if got := s.await(outcome); got.err == nil {
				t.Error("no error")
			}
			waitForChildren(t, append(slices.Clone(old), next[0])...)
			eventually(t, "the worker that answers is asked to finish", func() bool { return len(s.signals(next[0])) > 0 })
			if got := s.signals(next[0]); !slices.Equal(got, []string{"SIGUSR1"}) {
				t.Errorf("the worker that answers got %q", got)
			}
			s.generationsAre(old, next[:1])
			kill(t, next[0], unix.SIGUSR2)
			s.generationsAre(old)
			s.waitForMetric(1, "worker_exits_total", "drained")
			s.assertNotSignaled(old...)
		})
	}
}

func TestFailedFirstStartLeavesNothing(t *testing.T) {
	for _, tt := range failures {
		if tt.config == "workers 2 silent stubborn" {
			continue // takes seconds and tests nothing new
		}
		t.Run(tt.name, func(t *testing.T) {
			s := startStage(t, Options{})
			_ = s.fail(tt.config, tt.giveUp)
			waitForChildren(t)
			for _, path := range []string{s.ConfFile, s.PIDFile} {
				if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s is there: %v", path, err)
				}
			}
			s.reload("workers 2")
			s.waitForMetric(2, "workers", "running")
		})
	}
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMissingExecutable(t *testing.T) {
	s := newStage(t, Options{})
	s.Exec = filepath.Join(s.dir, "none")
	s.begin()
	if _, err := s.try(t.Context(), ""); !errors.Is(err, unix.ENOENT) || errors.Is(err, registry.ErrRefused) {
		t.Errorf("Reload: %v", err)
	}
}

// A worker that neither answers nor ends would keep its share of the listeners.
func TestReloadKillsSilentWorker(t *testing.T) {
	s := startStage(t, Options{})
	old := s.reload("workers 2 stubborn")
	s.silence(old[0])
	next := s.reload("workers 2 busy")
	if args := s.launched(); !slices.Equal(args[5:], []string{"-x", socketOf(s.dir, old[1])}) {
		t.Errorf("the launch was %q", args)
	}
	waitForChildren(t, append(next, old[1])...)
	s.waitForMetric(1, "workers", "draining")
	s.waitForMetric(1, "worker_exits_total", "killed")
	kill(t, old[1], unix.SIGKILL)
	s.waitForMetric(1, "worker_exits_total", "died")

	s.silence(next...)
	last := s.reload("workers 2")
	if args := s.launched(); len(args) != 5 {
		t.Errorf("no worker answers, but the launch was %q", args)
	}
	waitForChildren(t, last...)
	s.waitForMetric(3, "worker_exits_total", "killed")
	s.waitForMetric(1, "worker_exits_total", "died")
}

// A worker that was slow for a second answers again when the new ones are ready.
func TestReloadSparesRecoveredWorker(t *testing.T) {
	s := startStage(t, Options{})
	old := s.reload("workers 2")
	s.silence(old[0])
	outcome := s.startReload(t.Context(), "silent")
	var next []int
	eventually(t, "the new worker runs", func() bool {
		next, _ = readPIDs(s.PIDFile)
		return len(next) == 1 && len(children(t)) == 3
	})
	s.answer(old[0])
	s.answer(next...)
	if got := s.await(outcome); got.err != nil {
		t.Fatal(got.err)
	}
	waitForChildren(t, next...)
	for _, pid := range old {
		if got := s.signals(pid); !slices.Equal(got, []string{"SIGUSR1"}) {
			t.Errorf("old worker %d got %q", pid, got)
		}
	}
	s.waitForMetric(2, "worker_exits_total", "drained")
}

// Workers that could not be probed may be healthy and are not replaced.
func TestReloadSparesWorkersThatCannotBeProbed(t *testing.T) {
	s := startStage(t, Options{})
	old := s.reload("workers 2")
	short := filepath.Join(s.dir, "short")
	if err := os.WriteFile(short, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.try(t.Context(), "workers 2"); !errors.Is(err, unix.EMFILE) {
		t.Errorf("Reload: %v", err)
	}
	if calls := s.lines("calls"); len(calls) != 1 {
		t.Errorf("HAProxy was called: %q", calls)
	}
	waitForChildren(t, old...)
	s.assertNotSignaled(old...)
	if err := os.Remove(short); err != nil {
		t.Fatal(err)
	}
	waitForChildren(t, s.reload("workers 2")...)
}

func TestHardStop(t *testing.T) {
	const after = 500 * time.Millisecond
	s := startStage(t, Options{HardStopAfter: after})
	old := s.reload("workers 2 deaf")
	begun := time.Now()
	next := s.reload("stubborn")
	waitForChildren(t, next...)
	if took := time.Since(begun); took < after {
		t.Errorf("the old workers were ended after %s", took)
	}
	for _, pid := range old {
		if got := s.signals(pid); !slices.Equal(got, []string{"SIGUSR1", "SIGTERM"}) {
			t.Errorf("old worker %d got %q", pid, got)
		}
	}
	s.waitForMetric(2, "worker_exits_total", "killed")

	last := s.reload("")
	waitForChildren(t, last...)
	s.waitForMetric(3, "worker_exits_total", "killed")
	s.waitForMetric(1, "workers", "running")
	s.waitForMetric(0, "workers", "draining")
}

func TestNoHardStop(t *testing.T) {
	s := startStage(t, Options{HardStopAfter: 0})
	old := s.reload("busy")
	s.reload("")
	eventually(t, "the old worker is asked to finish", func() bool { return len(s.signals(old[0])) == 1 })
	s.waitForMetric(1, "workers", "draining")
	kill(t, old[0], unix.SIGUSR2)
	s.waitForMetric(1, "worker_exits_total", "drained")
}

func TestDeathDuringFailedReload(t *testing.T) {
	s := startStage(t, Options{})
	old := s.reload("workers 2")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	outcome := s.startReload(ctx, "silent")
	eventually(t, "the new worker runs", func() bool {
		pids, err := readPIDs(s.PIDFile)
		return err == nil && len(pids) == 1
	})
	kill(t, old[0], unix.SIGKILL)
	eventually(t, "the old worker has ended", func() bool { return !slices.Contains(children(t), old[0]) })
	cancel()
	if got := s.await(outcome); got.err == nil {
		t.Error("no error")
	}
	s.waitForDeath(old[0])
	waitForChildren(t, old[1])
	s.waitForMetric(1, "workers", "running")
	s.waitForMetric(1, "worker_exits_total", "died")
}

func TestReloadsQueueUp(t *testing.T) {
	s := startStage(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := s.startReload(ctx, "workers 2 hang")
	eventually(t, "the first is under way", func() bool {
		pids, err := readPIDs(s.PIDFile)
		return err == nil && len(pids) == 2
	})

	impatient, giveUp := context.WithCancel(t.Context())
	second := s.startReload(impatient, "")
	third := s.startReload(t.Context(), "workers 3")
	giveUp()
	if got := s.await(second); !errors.Is(got.err, context.Canceled) {
		t.Errorf("the second: %v", got.err)
	}
	if len(first)+len(third) > 0 || len(s.lines("calls")) != 1 {
		t.Error("they did not wait for each other")
	}
	cancel()
	if got := s.await(first); !errors.Is(got.err, context.Canceled) {
		t.Errorf("the first: %v", got.err)
	}
	got := s.await(third)
	if got.err != nil {
		t.Errorf("the third: %v", got.err)
	}
	waitForChildren(t, got.pids...)
}

func TestErrorNamesUnwrittenPIDFile(t *testing.T) {
	s := startStage(t, Options{})
	s.reload("workers 2")
	for _, config := range []string{"no-pids", "wrong-pids"} {
		if _, err := s.try(t.Context(), config); err == nil || !strings.Contains(err.Error(), s.PIDFile) {
			t.Errorf("%s: %v", config, err)
		}
	}
}

func TestHungReloadTimesOut(t *testing.T) {
	s := startStage(t, Options{})
	old := s.reload("workers 2")
	limit, begun := s.reloadTimeout(), time.Now()
	if _, err := s.try(t.Context(), "workers 2 hang"); err == nil {
		t.Error("no error")
	}
	if took := time.Since(begun); took < limit || took > limit+2*endWithin {
		t.Errorf("it took %s instead of %s", took, limit)
	}
	waitForChildren(t, old...)
	s.assertNotSignaled(old...)
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if next := s.reloadTimeout(); next < 2*reloadWithin || next > launchWithin+proveWithin {
		t.Errorf("the next one may take %s", next)
	}
}

package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestStop(t *testing.T) {
	const grace = 300 * time.Millisecond
	tests := []struct {
		name    string
		config  string
		signals []string
	}{
		{"a worker that finishes", "", []string{"SIGUSR1"}},
		{"a worker that does not finish in time", "deaf", []string{"SIGUSR1", "SIGTERM"}},
		{"a worker that has to be killed", "stubborn", []string{"SIGUSR1", "SIGTERM"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{StopGrace: grace}
			if len(tt.signals) == 1 {
				o.StopGrace = time.Hour // not used up
			}
			s := newStage(t, o)
			s.Sockets = []string{filepath.Join(s.dir, "1.sock"), filepath.Join(s.dir, "2.sock")}
			if err := os.WriteFile(s.Sockets[0], nil, 0o600); err != nil {
				t.Fatal(err)
			}
			s.begin()
			pids := s.reload("workers 2 " + tt.config)
			begun := time.Now()
			if err := s.end(); err != nil {
				t.Error(err)
			}
			if left := children(t); len(left) > 0 {
				t.Errorf("processes %d remain", left)
			}
			for _, pid := range pids {
				if got := s.signals(pid); !slices.Equal(got, tt.signals) {
					t.Errorf("worker %d got %q", pid, got)
				}
			}
			if took := time.Since(begun); len(tt.signals) > 1 && took < grace {
				t.Errorf("the grace lasted only %s", took)
			}
			for _, path := range append(s.Sockets, s.PIDFile) {
				if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s is there: %v", path, err)
				}
			}
			if got := s.metric("workers"); got != -1 {
				t.Error("the metrics still contain it")
			}
			if _, err := s.try(t.Context(), ""); err != ErrStopped { //nolint:errorlint // that very error is the contract
				t.Errorf("Reload: %v", err)
			}
		})
	}
}

func TestStopBeforeFirstStart(t *testing.T) {
	s := startStage(t, Options{})
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if calls := s.lines("calls"); len(calls) > 0 {
		t.Errorf("HAProxy was called: %q", calls)
	}
}

func TestStopEndsEveryGeneration(t *testing.T) {
	s := startStage(t, Options{StopGrace: soon})
	first := s.reload("workers 2 busy")
	second := s.reload("workers 2 busy")
	third := s.reload("workers 2 busy")
	s.waitForMetric(4, "workers", "draining")
	s.stop()
	for _, pid := range third {
		eventually(t, "the last generation is asked to finish", func() bool { return slices.Contains(s.signals(pid), "SIGUSR1") })
	}
	s.waitForMetric(0, "workers", "running")
	s.waitForMetric(6, "workers", "draining")
	if _, err := s.try(t.Context(), ""); err != ErrStopped { //nolint:errorlint // that very error is the contract
		t.Errorf("Reload during a stop: %v", err)
	}
	all := slices.Concat(third, first, second)
	for i, pid := range all {
		if i > 0 {
			s.waitForMetric(float64(len(all)-i), "workers", "draining")
		}
		kill(t, pid, unix.SIGUSR2)
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
	for _, pid := range all {
		if slices.Contains(s.signals(pid), "SIGTERM") {
			t.Errorf("worker %d did not get its grace", pid)
		}
	}
}

func TestStopDuringReload(t *testing.T) {
	for _, config := range []string{"workers 2 hang", "workers 2 silent"} {
		t.Run(config, func(t *testing.T) {
			s := startStage(t, Options{})
			old := s.reload("")
			outcome := s.startReload(t.Context(), config)
			eventually(t, "the launcher has left its workers", func() bool {
				pids, err := readPIDs(s.PIDFile)
				return err == nil && len(pids) == 2
			})
			waiting := s.startReload(t.Context(), "")
			begun := time.Now()
			if err := s.end(); err != nil {
				t.Error(err)
			}
			if took := time.Since(begun); took > proveWithin {
				t.Errorf("the stop took %s", took)
			}
			if got := s.await(outcome); !errors.Is(got.err, ErrStopped) {
				t.Errorf("Reload: %v", got.err)
			}
			if got := s.await(waiting); !errors.Is(got.err, ErrStopped) {
				t.Errorf("a Reload that waited: %v", got.err)
			}
			waitForChildren(t)
			if got := s.signals(old[0]); !slices.Equal(got, []string{"SIGUSR1"}) {
				t.Errorf("the old worker got %q", got)
			}
		})
	}
}

// Whenever a stop or a failure of the proxy interrupts a launch, no process remains,
// neither one missing from the pid file nor one forked later.
func TestNoProcessSurvivesStopDuringLaunch(t *testing.T) {
	requested := func(s *stage) { s.stop() }
	failed := func(s *stage) { s.fails(errors.New("another actor failed")) }
	launches := []struct {
		name  string
		first bool
		end   func(*stage)
	}{
		{"the first, stopped", true, requested},
		{"a reload, stopped", false, requested},
		{"a reload, failed", false, failed},
	}
	for _, config := range []string{
		"workers 3 hang-at 1", "workers 3 hang-at 2 silent stubborn", "workers 3 hang-at 3",
		"workers 2 behind", "workers 2 behind silent stubborn", "workers 3 behind hang-at 2",
	} {
		for _, launch := range launches {
			t.Run(launch.name+" "+config, func(t *testing.T) {
				s := newStage(t, Options{StopGrace: 300 * time.Millisecond})
				s.Sockets = make([]string, 3)
				for i := range s.Sockets {
					s.Sockets[i] = filepath.Join(s.dir, strconv.Itoa(i))
				}
				s.begin()
				if !launch.first {
					s.reload("workers 3")
				}
				outcome := s.startReload(t.Context(), config)
				eventually(t, "the launcher is where it hangs", func() bool { return len(s.lines("hangs")) > 0 })
				launch.end(s)
				if got := s.await(outcome); !errors.Is(got.err, ErrStopped) {
					t.Errorf("Reload: %v", got.err)
				}
				if err := s.end(); err != nil {
					t.Error(err)
				}
				if left := children(t); len(left) > 0 {
					t.Errorf("processes %d remain", left)
				}
			})
		}
	}
}

func TestStopReportsFilesItCannotRemove(t *testing.T) {
	s := newStage(t, Options{})
	s.Sockets = []string{filepath.Join(s.dir, "folder")}
	s.begin()
	s.reload("")
	if err := os.MkdirAll(filepath.Join(s.dir, "folder", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.end(); err == nil {
		t.Error("no error")
	}
	waitForChildren(t)
	if _, err := os.Stat(s.PIDFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the pid file is there: %v", err)
	}
}

// immortal is a process that may not be signaled.
type immortal struct{ done chan struct{} }

func (i immortal) Done() <-chan struct{} { return i.done }

func (immortal) sendSignal(unix.Signal) error { return unix.EPERM }

func (immortal) outcome() (unix.WaitStatus, bool) { return 0, false }

func TestStopGivesUpOnUnkillableProcess(t *testing.T) {
	s := newStage(t, Options{StopGrace: time.Millisecond})
	i := immortal{make(chan struct{})}
	s.current = &liveGeneration{workers: []*worker{{process: i, pid: 4711}}}
	s.watch(s.current)
	s.begin()
	if err := s.end(); err == nil || !strings.Contains(err.Error(), "[4711]") {
		t.Errorf("Run: %v", err)
	}
}

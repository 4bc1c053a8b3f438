package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

func TestFirstStart(t *testing.T) {
	s := startStage(t, Options{})
	pids := s.reload("workers 3\n")
	waitForChildren(t, pids...)
	want := fmt.Sprintf("-D -f %s -p %s\n", s.ConfFile, s.PIDFile)
	if got := s.lines("calls"); !slices.Equal(got, []string{want}) {
		t.Errorf("HAProxy was called with %q", got)
	}
	if written, err := readPIDs(s.PIDFile); err != nil || !slices.Equal(written, pids) {
		t.Errorf("workers %d, pid file %d, %v", pids, written, err)
	}
	if text, err := os.ReadFile(s.ConfFile); err != nil || string(text) != "workers 3\n" {
		t.Errorf("the configuration is %q, %v", text, err)
	}
	for _, path := range []string{s.ConfFile, s.PIDFile + ".lock"} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, "*"+ownfile.AsideSuffix)); len(left) > 0 {
		t.Errorf("%q remain", left)
	}
	s.waitForMetric(3, "workers", "ngboss", "running")
	s.waitForMetric(0, "workers", "ngboss", "draining")
	s.waitForMetric(1, "reloads_total", "ngboss", "slots", "ok")
	s.assertNotSignaled(pids...)
}

func TestDeadWorkerIsReplaced(t *testing.T) {
	s := startStage(t, Options{})
	pids := s.reload("workers 2")
	kill(t, pids[0], unix.SIGKILL)
	s.waitForDeath(pids[0])
	s.waitForMetric(1, "workers", "running")
	s.waitForMetric(1, "worker_exits_total", "died")
	s.assertNotSignaled(pids[1])

	next := s.reload("workers 2")
	if got := s.launched(); !slices.Equal(got[5:], []string{"-x", socketOf(s.dir, pids[1])}) {
		t.Errorf("the launch was %q", got)
	}
	waitForChildren(t, next...)
	s.waitForMetric(2, "workers", "running")
	s.waitForMetric(1, "worker_exits_total", "died")
	s.waitForMetric(1, "worker_exits_total", "drained")
	if len(s.Died()) > 0 {
		t.Error("the end of a replaced worker is reported as a death")
	}
}

func TestDeadGenerationIsReplaced(t *testing.T) {
	s := startStage(t, Options{})
	pids := s.reload("workers 2")
	for _, pid := range pids {
		kill(t, pid, unix.SIGKILL)
	}
	s.waitForDeath(pids...)
	s.waitForMetric(0, "workers", "running")

	next := s.reload("workers 2")
	if got := s.launched(); len(got) != 5 {
		t.Errorf("no listeners to take over, but the launch was %q", got)
	}
	waitForChildren(t, next...)
	s.waitForMetric(2, "worker_exits_total", "died")
}

func TestSecondDaemonCannotDriveSameProxy(t *testing.T) {
	s := startStage(t, Options{})
	pids := s.reload("")
	other := newStage(t, Options{Reaper: s.Reaper})
	other.PIDFile = s.PIDFile
	other.begin()
	waitFor(t, "the second Run returns", other.over)
	if other.result == nil {
		t.Error("the second Run got the lock")
	}
	if _, err := other.try(t.Context(), ""); err != ErrStopped { //nolint:errorlint // that very error is the contract
		t.Errorf("Reload of the second one: %v", err)
	}
	s.assertNotSignaled(pids...)

	if err := s.end(); err != nil {
		t.Error(err)
	}
	third := newStage(t, Options{Reaper: s.Reaper})
	third.PIDFile = s.PIDFile
	third.begin()
	third.reload("")
}

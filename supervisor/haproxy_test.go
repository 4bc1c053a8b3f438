package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFirstStart(t *testing.T) {
	s := play(t, Options{})
	pids := s.reload("workers 3\n")
	areChildren(t, pids...)
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
	if left, _ := filepath.Glob(filepath.Join(s.dir, "*"+asideSuffix)); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	s.becomes(3, "workers", "ngboss", "running")
	s.becomes(0, "workers", "ngboss", "draining")
	s.becomes(1, "reloads_total", "ngboss", "slots", "ok")
	s.untold(pids...)
}

func TestDeadWorkerIsReplaced(t *testing.T) {
	s := play(t, Options{})
	pids := s.reload("workers 2")
	kill(t, pids[0], unix.SIGKILL)
	s.dies(pids[0])
	s.becomes(1, "workers", "running")
	s.becomes(1, "worker_exits_total", "died")
	s.untold(pids[1])

	next := s.reload("workers 2")
	if got := s.launched(); !slices.Equal(got[5:], []string{"-x", socketOf(s.dir, pids[1])}) {
		t.Errorf("the launch was %q", got)
	}
	areChildren(t, next...)
	s.becomes(2, "workers", "running")
	s.becomes(1, "worker_exits_total", "died")
	s.becomes(1, "worker_exits_total", "drained")
	if len(s.Died()) > 0 {
		t.Error("the end of a replaced worker is told as a death")
	}
}

func TestDeadGenerationIsReplaced(t *testing.T) {
	s := play(t, Options{})
	pids := s.reload("workers 2")
	for _, pid := range pids {
		kill(t, pid, unix.SIGKILL)
	}
	s.dies(pids...)
	s.becomes(0, "workers", "running")

	next := s.reload("workers 2")
	if got := s.launched(); len(got) != 5 {
		t.Errorf("there is nobody to take listeners from, the launch was %q", got)
	}
	areChildren(t, next...)
	s.becomes(2, "worker_exits_total", "died")
}

func TestOneDaemonDrivesAnHAProxy(t *testing.T) {
	s := play(t, Options{})
	pids := s.reload("")
	other := newStage(t, Options{Reaper: s.Reaper})
	other.PIDFile = s.PIDFile
	other.begin()
	arrives(t, "the second Run returns", other.over)
	if other.result == nil {
		t.Error("the second Run got the lock")
	}
	if _, err := other.try(t.Context(), ""); err != ErrStopped { //nolint:errorlint // that very error is the contract
		t.Errorf("Reload of the second one: %v", err)
	}
	s.untold(pids...)

	if err := s.end(); err != nil {
		t.Error(err)
	}
	third := newStage(t, Options{Reaper: s.Reaper})
	third.PIDFile = s.PIDFile
	third.begin()
	third.reload("")
}

package supervisor

import (
	"bytes"
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
	want := []string{
		fmt.Sprintf("-c -f %s.new\n", s.ConfFile),
		fmt.Sprintf("-D -f %s -p %s\n", s.ConfFile, s.PIDFile),
	}
	if got := s.lines("calls"); !slices.Equal(got, want) {
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

func TestTakeover(t *testing.T) {
	s := newStage(t, Options{})
	if err := os.WriteFile(s.ConfFile, []byte("workers 2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reaper.Output(t.Context(), s.Exec, "-D", "-f", s.ConfFile, "-p", s.PIDFile); err != nil {
		t.Fatal(err)
	}
	earlier := children(t)
	// One of its pids is a stranger's by now, one is nobody's.
	stranger, release := held(t, s.Reaper, "read x <&3; exit 5")
	ended, _ := held(t, s.Reaper, "exit 0")
	arrives(t, "a process ends", ended.Done())
	var written bytes.Buffer
	for _, pid := range []int{stranger.PID, earlier[0], ended.PID, earlier[1]} {
		fmt.Fprintln(&written, pid)
	}
	if err := os.WriteFile(s.PIDFile, written.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}

	s.begin()
	pids := s.reload("workers 1")
	if got, want := s.launched()[5:], []string{"-sf", fmt.Sprint(earlier[0]), fmt.Sprint(earlier[1])}; !slices.Equal(got, want) {
		t.Errorf("the launch was with %q, want %q", got, want)
	}
	areChildren(t, append(pids, stranger.PID)...)
	release()
	arrives(t, "the stranger ends", stranger.Done())
	if got := describe(stranger.Status()); got != "exit code 5" {
		t.Errorf("the stranger ended with %s", got)
	}

	next := s.reload("workers 1")
	if got := s.launched()[5:]; !slices.Equal(got, []string{"-x", socketOf(s.dir, pids[0])}) {
		t.Errorf("the launch after the takeover was with %q", got)
	}
	areChildren(t, next...)
}

func TestStrangersAreNotToldToEnd(t *testing.T) {
	s := newStage(t, Options{})
	stranger, _ := held(t, s.Reaper, "read x <&3; exit 5")
	if err := os.WriteFile(s.PIDFile, fmt.Append(nil, stranger.PID), 0o600); err != nil {
		t.Fatal(err)
	}
	s.begin()
	pids := s.reload("")
	if got := s.launched(); len(got) != 5 {
		t.Errorf("the launch was %q", got)
	}
	areChildren(t, append(pids, stranger.PID)...)
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

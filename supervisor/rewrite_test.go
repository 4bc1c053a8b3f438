package supervisor

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// HAProxy does not notice that its pid file was truncated. The workers are found
// nevertheless, and the file is rewritten later.
func TestPIDFileOnFullDiskIsRewritten(t *testing.T) {
	for _, room := range []string{"no-room", "little-room", "late-room"} {
		t.Run(room, func(t *testing.T) {
			s := startStage(t, Options{Sockets: []string{"/nowhere/1", "/nowhere/2"}})
			old := s.reload("workers 2")
			next := s.reload("workers 2 " + room)
			if len(next) != 2 || slices.Contains(next, old[0]) {
				t.Fatalf("workers %d, before %d", next, old)
			}
			waitForChildren(t, next...)
			s.waitForMetric(2, "workers", "running")
			eventually(t, "the pid file names the workers", func() bool {
				pids, err := readPIDs(s.PIDFile)
				return err == nil && slices.Equal(slices.Sorted(slices.Values(pids)), slices.Sorted(slices.Values(next)))
			})
			if info, err := os.Stat(s.PIDFile); err != nil || info.Mode().Perm() != pidFileMode {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			waitForChildren(t, s.reload("workers 2")...)
			if left, _ := filepath.Glob(filepath.Join(s.dir, "haproxy.pid.*")); !slices.Equal(left, []string{s.PIDFile + proofSuffix, s.PIDFile + ".lock"}) {
				t.Errorf("%q remain", left)
			}
		})
	}
}

// Processes left by a failed launcher are ended, whatever the pid file contains.
func TestFailedReloadOnFullDiskLeavesNoProcess(t *testing.T) {
	for _, fails := range []string{"fork-fails", "die-at-once"} {
		t.Run(fails, func(t *testing.T) {
			s := startStage(t, Options{})
			old := s.reload("workers 2")
			pids := contents(t, s.PIDFile)
			if _, err := s.try(t.Context(), "workers 2 no-room "+fails); err == nil {
				t.Error("no error")
			}
			waitForChildren(t, old...)
			s.assertNotSignaled(old...)
			if got := contents(t, s.PIDFile); got != pids {
				t.Errorf("the pid file became %q", got)
			}
		})
	}
}

// A later daemon finds the workers missing from an incomplete pid file.
func TestTakeoverWithIncompletePIDFile(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "broken off": "1"} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, Options{})
			old := s.earlier("workers 2 busy")
			if err := os.WriteFile(s.PIDFile, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s.begin()
			next := s.reload("workers 2")
			s.generationsAre(next, old)
			s.finish(old...)
			s.generationsAre(next)
		})
	}
}

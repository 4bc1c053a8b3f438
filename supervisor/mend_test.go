package supervisor

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// HAProxy does not notice that there is no room for its pids. Its workers are
// known all the same, and the file gets them later.
func TestPIDFileWithoutRoom(t *testing.T) {
	for _, room := range []string{"no-room", "little-room", "late-room"} {
		t.Run(room, func(t *testing.T) {
			s := play(t, Options{Sockets: []string{"/nowhere/1", "/nowhere/2"}})
			old := s.reload("workers 2")
			next := s.reload("workers 2 " + room)
			if len(next) != 2 || slices.Contains(next, old[0]) {
				t.Fatalf("workers %d, before %d", next, old)
			}
			areChildren(t, next...)
			s.becomes(2, "workers", "running")
			eventually(t, "the pid file names the workers", func() bool {
				pids, err := readPIDs(s.PIDFile)
				return err == nil && slices.Equal(slices.Sorted(slices.Values(pids)), slices.Sorted(slices.Values(next)))
			})
			if info, err := os.Stat(s.PIDFile); err != nil || info.Mode().Perm() != pidFileMode {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			areChildren(t, s.reload("workers 2")...)
			if left, _ := filepath.Glob(filepath.Join(s.dir, "haproxy.pid.*")); !slices.Equal(left, []string{s.PIDFile + ".lock"}) {
				t.Errorf("%q are left", left)
			}
		})
	}
}

// What a launcher left behind that failed is ended, whatever the pid file says.
func TestFailedReloadWithoutRoomForPIDs(t *testing.T) {
	for _, fails := range []string{"fork-fails", "die-at-once"} {
		t.Run(fails, func(t *testing.T) {
			s := play(t, Options{})
			old := s.reload("workers 2")
			pids := contents(t, s.PIDFile)
			if _, err := s.try(t.Context(), "workers 2 no-room "+fails); err == nil {
				t.Error("no error")
			}
			areChildren(t, old...)
			s.untold(old...)
			if got := contents(t, s.PIDFile); got != pids {
				t.Errorf("the pid file became %q", got)
			}
		})
	}
}

// The workers of a torn pid file are found by a daemon that comes later.
func TestTakeoverFromATornPIDFile(t *testing.T) {
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
			for _, pid := range old {
				kill(t, pid, unix.SIGUSR2)
			}
			s.generationsAre(next)
		})
	}
}

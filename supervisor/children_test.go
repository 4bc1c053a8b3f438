package supervisor

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// runReaper runs a reaper until the end of the test, when no child may remain, not even
// a zombie.
func runReaper(t *testing.T) *Reaper {
	t.Helper()
	r, err := NewReaper(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		none := func() bool { return len(children(t)) == 0 }
		if !pollUntil(none) {
			left := children(t)
			t.Errorf("processes %d remain", left)
			for _, pid := range left {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
			pollUntil(none)
		}
		cancel()
		running.Wait()
	})
	return r
}

// children returns the children of this process, zombies included.
func children(t *testing.T) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		pid, rest, _ := strings.Cut(string(text), " ")
		// The name of the program, in parentheses, may contain anything.
		fields := strings.Fields(rest[strings.LastIndex(rest, ")")+1:])
		if fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, n)
	}
	slices.Sort(pids)
	return pids
}

// waitForChildren waits until these processes are the only children.
func waitForChildren(t *testing.T, pids ...int) {
	t.Helper()
	want := slices.Sorted(slices.Values(pids))
	eventually(t, "the children are as expected", func() bool { return slices.Equal(children(t), want) })
}

func kill(t *testing.T, pid int, sig unix.Signal) {
	t.Helper()
	if err := unix.Kill(pid, sig); err != nil {
		t.Fatalf("%s to %d: %v", unix.SignalName(sig), pid, err)
	}
}

package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

const shell = "/bin/sh"

// held starts a shell script that waits by reading from its descriptor 3; release lets
// it continue.
func held(t *testing.T, r *Reaper, script string) (child *Child, release func()) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	child, err = r.start(shell, []string{"-c", script}, []*os.File{null, null, null, pr})
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { pw.Close() })
	t.Cleanup(release)
	return child, release
}

// orphan leaves a process behind that exits with a code once released.
func orphan(t *testing.T, r *Reaper, code int) (pid int, release func()) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pid")
	parent, release := held(t, r, fmt.Sprintf("(read x <&3; exit %d) & echo $! >%s", code, file))
	waitFor(t, "the parent ends", parent.Done())
	pids, err := readPIDs(file)
	if err != nil || len(pids) != 1 {
		t.Fatal(pids, err)
	}
	return pids[0], release
}

func TestReaperReapsEveryChild(t *testing.T) {
	r := runReaper(t)
	const many = 1000
	code := func(i int) int { return 1 + i%250 }
	var release []func()
	for i := range many {
		child, let := held(t, r, fmt.Sprintf("(read x <&3; exit 99) & exit %d", code(i)))
		release = append(release, let)
		waitFor(t, "the parent ends", child.Done())
		if got := child.Status().ExitStatus(); got != code(i) {
			t.Fatalf("parent %d ended with %d", 1+i, got)
		}
	}
	if got := len(children(t)); got != many {
		t.Fatalf("%d orphans came to the reaper", got)
	}

	var starting sync.WaitGroup
	for i := range many {
		starting.Go(func() {
			_, err := r.Output(t.Context(), shell, "-c", fmt.Sprintf("exit %d", code(i)))
			var exit *ExitError
			if !errors.As(err, &exit) || exit.Status.ExitStatus() != code(i) {
				t.Errorf("a child that ends with %d: %v", code(i), err)
			}
		})
		starting.Go(release[i])
	}
	done := make(chan struct{})
	go func() { starting.Wait(); close(done) }()
	waitFor(t, "all have their status", done)
	waitForChildren(t)
	if got := r.Orphans(); got != many {
		t.Errorf("%d orphans are counted", got)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.children) != 0 || len(r.strays) != 0 {
		t.Errorf("the reaper still knows %d children and %d strays", len(r.children), len(r.strays))
	}
}

func TestReaperAdopts(t *testing.T) {
	r := runReaper(t)
	stop := r.expect()
	first, release := orphan(t, r, 7)
	release()
	waitForChildren(t)
	second, release := orphan(t, r, 8)
	third, _ := orphan(t, r, 9)

	ended, living, signaled := adopted(t, r, first), adopted(t, r, second), adopted(t, r, third)
	stop()
	if !ended.ended() || living.ended() || signaled.ended() {
		t.Error("the reaper does not know which of them have ended")
	}
	release()
	if err := signaled.sendSignal(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	for child, want := range map[*Child]string{ended: "exit code 7", living: "exit code 8", signaled: "killed by SIGTERM"} {
		waitFor(t, "an adopted child ends", child.Done())
		if got := describe(child.Status()); got != want {
			t.Errorf("an adopted child ended with %s, want %s", got, want)
		}
	}
}

func adopted(t *testing.T, r *Reaper, pid int) *Child {
	t.Helper()
	child, err := r.adoptChild(pid)
	if err != nil {
		t.Fatal(err)
	}
	return child
}

func TestReaperAdoptsOnlyChildren(t *testing.T) {
	r := runReaper(t)
	known, release := held(t, r, "read x <&3; exit 5")
	ended, _ := held(t, r, "exit 0")
	waitFor(t, "a child ends", ended.Done())
	for name, pid := range map[string]int{"a foreign process": os.Getppid(), "a known child": known.PID, "one that has ended": ended.PID} {
		if child, err := r.adoptChild(pid); err == nil || child != nil {
			t.Errorf("%s is adopted", name)
		}
	}
	release()
	waitFor(t, "the known child ends", known.Done())
}

// A status belongs to the process that had the pid then, not to a later one.
func TestReaperDropsStraysAfterLaunch(t *testing.T) {
	r := runReaper(t)
	first, second := r.expect(), r.expect()
	pid, release := orphan(t, r, 7)
	release()
	waitForChildren(t)
	first()
	second()
	defer r.expect()()
	if _, err := r.adoptChild(pid); err == nil {
		t.Error("a status outlived the launch that it was kept for")
	}
}

func TestSignalSkipsReusedPID(t *testing.T) {
	r := runReaper(t)
	ended, release := held(t, r, "exit 0")
	release()
	waitFor(t, "the child ends", ended.Done())
	if err := ended.sendSignal(unix.SIGKILL); err != nil {
		t.Errorf("to one that has ended: %v", err)
	}

	other, release := held(t, r, "read x <&3; exit 5")
	ended.PID = other.PID // simulates that the kernel has reused the pid
	if err := ended.sendSignal(unix.SIGKILL); err != nil {
		t.Errorf("to one whose pid is another's: %v", err)
	}
	release()
	waitFor(t, "the other child ends", other.Done())
	if got := describe(other.Status()); got != "exit code 5" {
		t.Errorf("the other child ended with %s", got)
	}
}

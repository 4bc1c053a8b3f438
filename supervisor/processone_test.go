package supervisor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// first is a running process 1. Its daemon is a shell script, in which $n counts the
// starts; its HAProxy is that of a stage.
type first struct {
	*ProcessOne
	*stage
	hurry    func()
	stopping context.CancelFunc
	code     chan int
}

// processOne runs a process 1. A shell that has written `hears` to its descriptor 3
// receives signals.
func processOne(t *testing.T, s *stage, script string) *first {
	t.Helper()
	// Under nohup SIGHUP is ignored, and a shell cannot trap a signal ignored at its start.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, unix.SIGHUP)
	t.Cleanup(func() { signal.Stop(heard) })
	hurry := make(chan struct{})
	f := &first{stage: s, hurry: sync.OnceFunc(func() { close(hurry) }), code: make(chan int, 1)}
	script = fmt.Sprintf("cd '%s'; echo $$ >>starts; n=$(wc -l <starts)\n", s.dir) + script
	f.ProcessOne = NewProcessOne(ProcessOneOptions{
		Path: shell, Args: []string{"haproxy-zk", "-c", script},
		GraceStarts: func() <-chan struct{} { return nil }, GraceOver: hurry,
		Reaper: s.Reaper, Logger: slog.New(slog.DiscardHandler),
	})
	var ctx context.Context
	ctx, f.stopping = context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		f.code <- f.Run(ctx)
	}()
	t.Cleanup(func() {
		f.stopping()
		f.hurry()
		waitFor(t, "process 1 ends", over)
	})
	return f
}

// ends waits until process 1 has ended.
func (f *first) ends(want int) {
	f.t.Helper()
	select {
	case code := <-f.code:
		if code != want {
			f.t.Errorf("exit code %d, want %d", code, want)
		}
	case <-time.After(soon):
		f.t.Fatal("process 1 did not end")
	}
}

// started waits until a daemon has written a file.
func (f *first) started(file string) {
	f.t.Helper()
	eventually(f.t, file, func() bool {
		_, err := os.Stat(filepath.Join(f.dir, file))
		return err == nil
	})
}

func (f *first) starts() []int {
	f.t.Helper()
	pids, _ := readPIDs(filepath.Join(f.dir, "starts"))
	return pids
}

// requestStop sends a signal that requests a stop.
func (f *first) requestStop(sig unix.Signal) {
	f.stopping()
	f.Signal(sig)
}

func TestExitCodeOfDaemonThatNeverServedIsPassedOn(t *testing.T) {
	for script, want := range map[string]int{
		"exit 0": 0, "exit 1": 1, "exit 2": 2, "kill -KILL $$": 128 + 9, "kill -ABRT $$": 128 + 6,
	} {
		t.Run(script, func(t *testing.T) {
			f := processOne(t, newStage(t, Options{}), script)
			f.ends(want)
			if n := len(f.starts()); n != 1 {
				t.Errorf("it was started %d times", n)
			}
		})
	}
}

// A daemon that ends beside a running HAProxy is restarted, however it ended.
func TestDaemonIsRestartedWhileHAProxyServes(t *testing.T) {
	for _, end := range []string{"kill -KILL $$", "kill -ABRT $$", "exit 1", "exit 2"} {
		t.Run(end, func(t *testing.T) {
			s := newStage(t, Options{})
			old := s.earlier("")
			f := processOne(t, s, fmt.Sprintf("[ $n -lt 3 ] && %s\necho hears >&3; trap 'exit 0' TERM; touch serves; while :; do sleep 0.01; done", end))
			f.started("serves")
			s.assertNotSignaled(old...)
			if n := len(f.starts()); n != 3 {
				t.Errorf("it was started %d times", n)
			}
			// This daemon exits and leaves HAProxy, which process 1 stops.
			f.requestStop(unix.SIGTERM)
			f.ends(0)
			if got := s.signals(old[0]); !slices.Contains(got, "SIGUSR1") {
				t.Errorf("HAProxy got %q", got)
			}
		})
	}
}

// The pauses between failing starts grow.
func TestFailingDaemonIsRestartedWithBackoff(t *testing.T) {
	s := newStage(t, Options{})
	s.earlier("")
	f := processOne(t, s, "[ $n -lt 5 ] && exit 2; touch serves; exit 0")
	begun := time.Now()
	f.ends(0)
	// 100, 200, 400 and 800 ms, each at least half of that.
	if took := time.Since(begun); took < 750*time.Millisecond {
		t.Errorf("five starts took %v", took)
	}
}

func TestReloadSignalStartsDaemonWithoutDelay(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGUSR2} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			s := newStage(t, Options{})
			s.earlier("")
			f := processOne(t, s, "[ -e good ] && exit 0; exit 2")
			// The next pause is longer than the rest of the test.
			eventually(t, "pauses become long", func() bool { return len(f.starts()) >= 6 })
			begun := time.Now()
			if err := os.WriteFile(filepath.Join(s.dir, "good"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for f.runs() {
					f.Signal(sig)
				}
			}()
			waitFor(t, "the daemon that finds a good file", ended)
			f.ends(0)
			if took := time.Since(begun); took > time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// runs waits a moment and reports whether process 1 is still running.
func (f *first) runs() bool {
	select {
	case code := <-f.code:
		f.code <- code
		return false
	case <-time.After(time.Millisecond):
		return true
	}
}

// A stop without a daemon is orderly: connections get the grace period that the last
// daemon reported before they are cut.
func TestProcessOneStopsHAProxyWithoutDaemon(t *testing.T) {
	for _, tt := range []struct {
		config string
		want   []string
	}{
		{"workers 2", []string{"SIGUSR1"}},
		{"workers 2 busy", []string{"SIGUSR1", "SIGTERM"}},
		{"workers 2 stubborn", []string{"SIGUSR1", "SIGTERM"}},
	} {
		t.Run(tt.config, func(t *testing.T) {
			s := newStage(t, Options{})
			old := s.earlier(tt.config)
			f := processOne(t, s, "echo grace 200ms >&3; [ $n -lt 5 ] || touch often; exit 2")
			f.started("often") // and a long pause
			begun := time.Now()
			f.requestStop(unix.SIGTERM)
			f.ends(0)
			if took := time.Since(begun); took > 4*time.Second || strings.Contains(tt.config, "busy") && took < 200*time.Millisecond {
				t.Errorf("the stop took %v", took)
			}
			for _, pid := range old {
				if got := s.signals(pid); !slices.Equal(got, tt.want) {
					t.Errorf("worker %d got %q", pid, got)
				}
			}
		})
	}
}

// A daemon that dies during a stop does not prolong it.
func TestStopGraceContinuesWhenDaemonDies(t *testing.T) {
	s := newStage(t, Options{})
	old := s.earlier("busy")
	f := processOne(t, s, "trap 'sleep 1.5; kill -KILL $$' TERM; echo grace 2s >&3; echo hears >&3; touch hears; while :; do sleep 0.01; done")
	f.started("hears")
	begun := time.Now()
	f.requestStop(unix.SIGTERM)
	f.ends(0)
	if took := time.Since(begun); took < 2*time.Second || took > 3*time.Second {
		t.Errorf("the stop took %v", took)
	}
	if got := s.signals(old[0]); !slices.Equal(got, []string{"SIGUSR1", "SIGTERM"}) {
		t.Errorf("HAProxy got %q", got)
	}
}

func TestSecondStopSignalEndsHAProxyAtOnceWithoutDaemon(t *testing.T) {
	s := newStage(t, Options{})
	old := s.earlier("busy")
	f := processOne(t, s, "echo grace 1h >&3; kill -KILL $$")
	eventually(t, "it has crashed", func() bool { return len(f.starts()) > 1 })
	f.requestStop(unix.SIGTERM)
	eventually(t, "HAProxy finishes its connections", func() bool { return len(s.signals(old[0])) > 0 })
	f.hurry()
	f.ends(0)
}

// A signal that arrives before the daemon handles signals would kill it, so it is
// forwarded later.
func TestSignalsWaitUntilDaemonHandlesThem(t *testing.T) {
	f := processOne(t, newStage(t, Options{}), `touch young; while ! [ -e go ]; do sleep 0.01; done
trap 'echo HUP >>got' HUP; trap 'echo USR2 >>got' USR2; trap 'echo TERM >>got; exit 0' TERM
echo hears >&3; while :; do sleep 0.01; done`)
	f.started("young")
	f.Signal(unix.SIGHUP)
	f.Signal(unix.SIGUSR2)
	f.requestStop(unix.SIGTERM)
	if err := os.WriteFile(filepath.Join(f.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.ends(0)
	got := f.lines("got")
	for _, want := range []string{"HUP\n", "USR2\n", "TERM\n"} {
		if !slices.Contains(got, want) {
			t.Errorf("the daemon got %q", got)
		}
	}
	if n := len(f.starts()); n != 1 {
		t.Errorf("it was started %d times", n)
	}
}

func TestSignalsAreForwarded(t *testing.T) {
	signals := []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGALRM}
	var traps strings.Builder
	for _, sig := range signals {
		name := strings.TrimPrefix(unix.SignalName(sig), "SIG")
		fmt.Fprintf(&traps, "trap 'echo %s >>got' %s\n", name, name)
	}
	f := processOne(t, newStage(t, Options{}), traps.String()+"trap 'exit 3' TERM; echo hears >&3; touch hears; while :; do sleep 0.01; done")
	f.started("hears")
	for i, sig := range signals {
		eventually(t, "the daemon gets "+unix.SignalName(sig), func() bool {
			if got := f.lines("got"); len(got) > i {
				return strings.TrimSpace(got[i]) == strings.TrimPrefix(unix.SignalName(sig), "SIG")
			}
			f.Signal(sig)
			eventually(t, "it has acted", func() bool { return len(f.lines("got")) > i })
			return false
		})
	}
	f.requestStop(unix.SIGTERM)
	f.ends(3)
}

// A hung daemon does not delay a fast stop.
func TestHungDaemonIsKilledOnFastStop(t *testing.T) {
	s := newStage(t, Options{})
	old := s.earlier("busy")
	f := processOne(t, s, "trap '' TERM QUIT; echo hears >&3; touch hears; while :; do sleep 0.01; done")
	f.started("hears")
	f.requestStop(unix.SIGTERM)
	f.hurry()
	f.ends(0)
	eventually(t, "HAProxy ends", func() bool { return unix.Kill(old[0], 0) != nil })
}

// A process left by docker exec is not HAProxy: the daemon is not restarted because of
// it, and it is not stopped.
func TestForeignOrphansAreIgnored(t *testing.T) {
	s := newStage(t, Options{})
	_, release := orphan(t, s.Reaper, 0)
	defer release()
	f := processOne(t, s, "exit 2")
	f.ends(2)
}

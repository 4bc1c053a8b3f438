package daemon

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestSignals(t *testing.T) {
	const term, intr, quit, usr1, usr2, hup = unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGHUP
	for _, tt := range []struct {
		name    string
		signals []os.Signal
		want    []string
		mode    mode
	}{
		{"a stop", []os.Signal{term}, []string{"stop"}, graceful},
		{"a stop from the keyboard", []os.Signal{intr}, []string{"stop"}, graceful},
		{"a second one", []os.Signal{term, intr}, []string{"stop"}, immediate},
		{"many", []os.Signal{intr, term, term, quit, usr1}, []string{"stop"}, immediate},
		{"at once", []os.Signal{quit}, []string{"stop"}, immediate},
		{"at once after all", []os.Signal{term, quit}, []string{"stop"}, immediate},
		{"softly", []os.Signal{usr1, usr1}, []string{"stop"}, soft},
		{"softly, then with a grace", []os.Signal{usr1, term}, []string{"stop"}, graceful},
		{"softly, then at once", []os.Signal{usr1, term, term}, []string{"stop"}, immediate},
		{"too late to be soft", []os.Signal{term, usr1}, []string{"stop"}, graceful},
		{"HAProxy's own", []os.Signal{usr2, usr2}, []string{"reload", "reload"}, running},
		{"the configuration", []os.Signal{hup, usr2}, []string{"reread", "reload"}, running},
		{"too late for anything", []os.Signal{usr1, hup, usr2}, []string{"stop"}, soft},
		{"one that is none of ours", []os.Signal{unix.SIGWINCH}, nil, running},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var did []string
			does := func(what string) func() { return func() { did = append(did, what) } }
			s := &signals{
				log: slog.New(slog.DiscardHandler), stopping: newStopping(),
				delay: func() time.Duration { return 0 }, withdraw: func() {},
				stop: does("stop"), reload: does("reload"), reread: does("reread"),
			}
			for _, sig := range tt.signals {
				s.handle(sig)
			}
			if !slices.Equal(did, tt.want) {
				t.Errorf("it did %q, not %q", did, tt.want)
			}
			if s.stopping.mode != tt.mode {
				t.Errorf("mode %d, not %d", s.stopping.mode, tt.mode)
			}
			if got, want := closed(s.stopping.graceBegun), tt.mode >= graceful; got != want {
				t.Errorf("the grace has begun: %t", got)
			}
			if got, want := closed(s.stopping.graceOver), tt.mode == immediate; got != want {
				t.Errorf("the grace is over: %t", got)
			}
			if got, want := s.stopping.graceStarts() != nil, tt.mode == soft; got != want {
				t.Errorf("a stop that begins now waits for its grace: %t", got)
			}
		})
	}
}

// With stop_delay, readiness goes at once and the listeners later, unless a signal asks for
// an immediate stop.
func TestListenersCloseAfterStopDelay(t *testing.T) {
	const delay = 10 * time.Second
	for _, tt := range []struct {
		name   string
		first  unix.Signal
		second unix.Signal // 3 s after the first; 0 for none
		want   time.Duration
	}{
		{"a stop", unix.SIGTERM, 0, delay},
		{"a soft stop", unix.SIGUSR1, 0, delay},
		{"the grace after a soft stop begins later", unix.SIGUSR1, unix.SIGTERM, delay},
		{"a reload has no effect", unix.SIGTERM, unix.SIGHUP, delay},
		{"at once", unix.SIGQUIT, 0, 0},
		{"a second stop", unix.SIGTERM, unix.SIGTERM, 3 * time.Second},
		{"at once after a soft stop", unix.SIGUSR1, unix.SIGQUIT, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				a := arriving{make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan os.Signal, 1)}
				kinds := map[unix.Signal]chan os.Signal{unix.SIGTERM: a.stop, unix.SIGQUIT: a.stop, unix.SIGUSR1: a.soft, unix.SIGHUP: a.reread}
				begun := time.Now()
				var withdrawn, stopped []time.Duration
				s := &signals{
					log: slog.New(slog.DiscardHandler), stopping: newStopping(), arriving: a,
					delay:    func() time.Duration { return delay },
					withdraw: func() { withdrawn = append(withdrawn, time.Since(begun)) },
					stop:     func() { stopped = append(stopped, time.Since(begun)) },
					reload:   func() { t.Error("it reloads") },
					reread:   func() { t.Error("it reads the configuration") },
				}
				var running sync.WaitGroup
				running.Go(func() { s.run(ctx) })
				kinds[tt.first] <- tt.first
				if tt.second != 0 {
					time.AfterFunc(3*time.Second, func() { kinds[tt.second] <- tt.second })
				}
				<-time.After(time.Minute)
				cancel()
				running.Wait()
				if !slices.Equal(withdrawn, []time.Duration{0}) || !slices.Equal(stopped, []time.Duration{tt.want}) {
					t.Errorf("not ready after %v, stopped after %v, not %s", withdrawn, stopped, tt.want)
				}
			})
		})
	}
}

// A stop that was requested by a signal ends HAProxy, whatever is requested later.
func TestDetachAfterSignalHasNoEffect(t *testing.T) {
	s := newStopping()
	s.advance(unix.SIGTERM)
	if s.detach() || closed(s.detached) {
		t.Error("HAProxy is left running")
	}
	s = newStopping()
	for range 2 {
		if !s.detach() || !closed(s.detached) {
			t.Error("HAProxy is stopped")
		}
	}
}

// os/signal drops signals when a channel is full: here thousands of one kind arrive
// unread.
func TestSIGTERMIsNotLostInAFloodOfSignals(t *testing.T) {
	arriving := hearSignals()
	defer arriving.close()
	for range 10_000 {
		for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGUSR2} {
			if err := unix.Kill(os.Getpid(), sig); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := unix.Kill(os.Getpid(), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.After(30 * time.Second); len(arriving.stop) == 0; {
		select {
		case <-deadline:
			t.Fatal("TERM does not arrive")
		case <-time.After(5 * time.Millisecond):
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var did []string
	s := &signals{
		log: slog.New(slog.DiscardHandler), stopping: newStopping(), arriving: arriving,
		delay: func() time.Duration { return 0 }, withdraw: func() {},
		stop: func() { did = append(did, "stop"); cancel() }, reload: func() {}, reread: func() {},
	}
	s.run(ctx)
	if !slices.Equal(did, []string{"stop"}) {
		t.Errorf("it did %q", did)
	}
}

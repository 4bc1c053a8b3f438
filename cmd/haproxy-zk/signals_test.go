package main

import (
	"log/slog"
	"os"
	"slices"
	"testing"

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
		{"a second one", []os.Signal{term, intr}, []string{"stop"}, hurried},
		{"many", []os.Signal{intr, term, term, quit, usr1}, []string{"stop"}, hurried},
		{"at once", []os.Signal{quit}, []string{"stop"}, hurried},
		{"at once after all", []os.Signal{term, quit}, []string{"stop"}, hurried},
		{"softly", []os.Signal{usr1, usr1}, []string{"stop"}, soft},
		{"softly, then with a grace", []os.Signal{usr1, term}, []string{"stop"}, graceful},
		{"softly, then at once", []os.Signal{usr1, term, term}, []string{"stop"}, hurried},
		{"too late to be soft", []os.Signal{term, usr1}, []string{"stop"}, graceful},
		{"HAProxy's own", []os.Signal{usr2, usr2}, []string{"reload", "reload"}, goesOn},
		{"the configuration", []os.Signal{hup, usr2}, []string{"reread", "reload"}, goesOn},
		{"too late for anything", []os.Signal{usr1, hup, usr2}, []string{"stop"}, soft},
		{"one that is none of ours", []os.Signal{unix.SIGWINCH}, nil, goesOn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var did []string
			does := func(what string) func() { return func() { did = append(did, what) } }
			s := &signals{
				log: slog.New(slog.DiscardHandler), stopping: newStopping(),
				stop: does("stop"), reload: does("reload"), reread: does("reread"),
			}
			for _, sig := range tt.signals {
				s.obey(sig)
			}
			if !slices.Equal(did, tt.want) {
				t.Errorf("it did %q, not %q", did, tt.want)
			}
			if s.stopping.mode != tt.mode {
				t.Errorf("mode %d, not %d", s.stopping.mode, tt.mode)
			}
			if got, want := closed(s.stopping.limited), tt.mode >= graceful; got != want {
				t.Errorf("the grace has begun: %t", got)
			}
			if got, want := closed(s.stopping.hurry), tt.mode == hurried; got != want {
				t.Errorf("the grace is over: %t", got)
			}
			if got, want := s.stopping.soft() != nil, tt.mode == soft; got != want {
				t.Errorf("a stop that begins now waits for its grace: %t", got)
			}
		})
	}
}

package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// signals is what the process does when it is told to:
//
//	TERM, INT  stop; HAProxy finishes what runs within stop_grace; again: now
//	QUIT       stop now
//	USR1       stop; HAProxy finishes what runs, however long that takes
//	USR2       reload HAProxy
//	HUP        read the configuration again
//
// Its goroutine is the only one that reads them.
type signals struct {
	log      *slog.Logger
	arriving chan os.Signal
	stopping *stopping
	// stop begins a stop; it is called once. The others do not block either.
	stop, reload, reread func()
}

// hearSignals begins to collect signals, which would else end the process.
func hearSignals() chan os.Signal {
	// TTOU stops whoever writes to a terminal in the background. PIPE, where it is
	// not notified, ends whoever writes to a closed stdout; ignored, it would be so
	// in all children.
	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU)
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	arriving := make(chan os.Signal, 16)
	signal.Notify(arriving, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGHUP)
	return arriving
}

// run obeys signals until ctx is done: a stop ends it by ending what it is for.
func (s *signals) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case sig := <-s.arriving:
			s.obey(sig)
		}
	}
}

func (s *signals) obey(sig os.Signal) {
	log := s.log.With("signal", sig.String())
	before, now := s.stopping.advance(sig)
	if before == goesOn && now != goesOn {
		defer s.stop()
	}
	switch {
	case now != before && now == soft:
		log.Info("stopping once HAProxy has finished all connections")
	case now != before && now == graceful:
		log.Info("stopping, HAProxy finishes its connections within the grace")
	case now != before:
		log.Info("stopping now, connections that are left are cut")
	case before != goesOn:
		log.Info("the stop goes on as it does")
	case sig == unix.SIGUSR2:
		log.Info("reloading HAProxy")
		s.reload()
	case sig == unix.SIGHUP:
		log.Info("reading the configuration again")
		s.reread()
	}
}

package daemon

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// arriving has the signals not handled yet. os/signal drops signals when a channel is
// full: a channel for each kind keeps a flood of one kind from losing another. Dropping
// repeated signals of one kind is harmless: a second stop is already immediate, and
// repeated requests are merged.
type arriving struct{ stop, soft, reload, reread chan os.Signal }

// hearSignals starts to receive signals, which would end the process otherwise.
func hearSignals() arriving {
	// SIGTTOU stops background processes that write to a terminal. SIGPIPE, unless
	// notified, ends a process that writes to a closed stdout; if ignored, it would be
	// ignored in all children too.
	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU)
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	a := arriving{make(chan os.Signal, 4), make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan os.Signal, 1)}
	signal.Notify(a.stop, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
	signal.Notify(a.soft, unix.SIGUSR1)
	signal.Notify(a.reload, unix.SIGUSR2)
	signal.Notify(a.reread, unix.SIGHUP)
	return a
}

// close stops receiving signals.
func (a arriving) close() {
	for _, c := range []chan os.Signal{a.stop, a.soft, a.reload, a.reread} {
		signal.Stop(c)
	}
}

// abandonWithin is how long do may take to return after a signal.
const abandonWithin = time.Second

// unlessStopped calls do and returns its error, unless a signal requests a stop first:
// then it cancels the context of do and returns the signal, whether do returns or not.
// Nothing is running yet, so all stop signals have the same effect.
func (a arriving) unlessStopped(ctx context.Context, do func(context.Context) error) (sig os.Signal, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	var failure error // valid once done is closed
	go func() {
		defer close(done)
		failure = do(ctx)
	}()
	select {
	case <-done:
		return nil, failure
	case sig = <-a.stop:
	case sig = <-a.soft:
	}
	cancel()
	select {
	case <-done:
	case <-time.After(abandonWithin):
	}
	return sig, nil
}

// signals maps the signals of the process to actions:
//
//	TERM, INT  stop; HAProxy finishes its connections within stop_grace; again: at once
//	QUIT       stop at once
//	USR1       stop; HAProxy finishes its connections without a limit
//	USR2       reload HAProxy
//	HUP        read the configuration again
//
// A stop that is not to be immediate has two parts: at once, load balancers in front are
// asked to send no more requests, and after stop_delay the listeners close.
//
// Only its own goroutine reads them.
type signals struct {
	log      *slog.Logger
	arriving arriving
	stopping *stopping
	// delay returns stop_delay.
	delay func() time.Duration
	// withdraw makes haproxy-zk not ready, then stop ends the proxies; each is called once.
	// None of these functions blocks.
	withdraw, stop, reload, reread func()

	// due receives when stop is to be called; nil before and after.
	due <-chan time.Time
}

// run handles signals until ctx is done; stop is expected to end it.
func (s *signals) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case sig := <-s.arriving.stop:
			s.handle(sig)
		case sig := <-s.arriving.soft:
			s.handle(sig)
		case sig := <-s.arriving.reload:
			s.handle(sig)
		case sig := <-s.arriving.reread:
			s.handle(sig)
		case <-s.due:
			s.log.Info("stop_delay is over, HAProxy accepts no more connections")
			s.due = nil
			s.stop()
		}
	}
}

func (s *signals) handle(sig os.Signal) {
	log := s.log.With("signal", sig.String())
	before, now := s.stopping.advance(sig)
	switch {
	case now != before && now == soft:
		log.Info("stopping once HAProxy has finished all connections")
	case now != before && now == graceful:
		log.Info("stopping, HAProxy finishes its connections within stop_grace")
	case now != before:
		log.Info("stopping now, cutting remaining connections")
	case before != running:
		log.Info("already stopping, signal ignored")
	case sig == unix.SIGUSR2:
		log.Info("reloading HAProxy")
		s.reload()
	case sig == unix.SIGHUP:
		log.Info("reading the configuration again")
		s.reread()
	}
	switch delay := s.delay(); {
	case before == running && now != running:
		s.withdraw()
		if now == immediate || delay == 0 {
			s.stop()
			return
		}
		log.Info("not ready from now on, HAProxy accepts connections until stop_delay is over", "stop_delay", delay)
		s.due = time.After(delay)
	case now == immediate && s.due != nil:
		s.due = nil
		s.stop()
	}
}

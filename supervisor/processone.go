package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/retry"
)

// ProcessOneOptions are the options of a [ProcessOne]; all of them are required.
type ProcessOneOptions struct {
	// Path is the daemon's executable, Args are its arguments from argv[0] on.
	Path string
	Args []string
	// GraceStarts and GraceOver are those of [Options], for a stop without a daemon.
	GraceStarts func() <-chan struct{}
	GraceOver   <-chan struct{}
	Reaper      *Reaper
	Logger      *slog.Logger
}

// ProcessOne keeps a daemon running as its child:
//
//	process 1 ──▶ daemon ──▶ HAProxy
//	    └ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┘  becomes its parent when the daemon dies
//
// When process 1 ends, so does everything in its PID namespace, so it does as little
// as possible. When the daemon dies, HAProxy keeps serving, and the next daemon takes
// over. What happens when a daemon ends:
//
//	a stop was requested     HAProxy is stopped, by process 1 if the daemon did
//	                         not; the daemon's exit code is returned
//	exit code 0              the same: somebody else stopped the daemon
//	else, HAProxy runs       the daemon is restarted with backoff, however it ended:
//	                         a configuration file broken since must not end HAProxy
//	else, a crash            the same if the daemon had run for a while; otherwise
//	                         its exit code is returned
//	else                     the exit code is returned
type ProcessOne struct {
	ProcessOneOptions

	mu sync.Mutex
	// daemon is nil while none runs. Signals wait until it hears them.
	daemon  *Child
	hears   bool
	waiting []unix.Signal
	// startNow has a value when the next daemon is to start without delay.
	startNow chan struct{}
	// grace is how long a stop may take according to the latest report of a daemon.
	grace time.Duration
	// stopped is when a stop was requested, signaled when the last signal arrived.
	stopped, signaled time.Time
}

const (
	// defaultGrace is grace if no daemon has reported one.
	defaultGrace = 8 * time.Second
	// fastStopWithin is how long a daemon may take to end HAProxy and itself immediately.
	fastStopWithin = 3 * time.Second
	// A daemon that crashed before this, with no HAProxy running, would crash again.
	provenAfter = 10 * time.Second
	// maxSignals bounds the signals that wait for a daemon to hear them.
	maxSignals = 64
	// stopRounds is how often process 1 looks for an HAProxy that was being started.
	stopRounds = 3
)

// NewProcessOne returns a process 1 that is ready for Run.
func NewProcessOne(o ProcessOneOptions) *ProcessOne {
	return &ProcessOne{ProcessOneOptions: o, startNow: make(chan struct{}, 1), grace: defaultGrace}
}

// HasSubreaper reports whether the kernel supports subreapers; qemu-user does not.
// Without it a [ProcessOne] would take HAProxy's workers from the daemon.
func HasSubreaper() bool { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == nil }

// Signal forwards a signal to the daemon, at once or as soon as it hears signals. While
// no daemon runs, SIGHUP and SIGUSR2 start the next one without delay, which does what
// they request. It does not block, and any goroutine may call it.
func (p *ProcessOne) Signal(sig unix.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signaled = time.Now()
	switch {
	case p.daemon == nil && (sig == unix.SIGHUP || sig == unix.SIGUSR2):
		select {
		case p.startNow <- struct{}{}:
		default:
		}
	case p.daemon == nil: // a stop ends Run's ctx as well
	case !p.hears && len(p.waiting) < maxSignals:
		p.waiting = append(p.waiting, sig)
	case p.hears:
		p.pass(sig)
	}
}

// pass is called with the lock held.
func (p *ProcessOne) pass(sig unix.Signal) {
	if err := p.daemon.sendSignal(sig); err != nil {
		p.Logger.Error("cannot forward a signal", "error", err)
	}
}

// Run keeps the daemon running until it and its HAProxy have ended, and returns the
// exit code of process 1. Cancel ctx to request a stop, and only then pass the signal
// that requested it to Signal. Call Run once.
func (p *ProcessOne) Run(ctx context.Context) (code int) {
	defer context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stopped = time.Now()
	})()
	pause := retry.Backoff(100*time.Millisecond, 30*time.Second)
	failing := &restarts{settled: settledAfter, over: func(attrs []any) {
		p.Logger.With(attrs...).Info("haproxy-zk keeps running after its restart")
	}}
	for {
		begun := time.Now()
		ended := failing.begun()
		status, err := p.runDaemon(ctx)
		ended()
		lived := time.Since(begun)
		if ctx.Err() != nil {
			return p.finish(status, err)
		}
		left, looking := p.remainingHAProxy()
		crashed := err == nil && status.Signaled()
		switch {
		case err == nil && status.Exited() && status.ExitStatus() == 0:
			return p.finish(status, nil)
		case len(left) == 0 && looking == nil && (!crashed || lived <= provenAfter):
			return exitCode(status, err)
		}
		if lived > settledAfter {
			pause.Reset()
		}
		wait := pause.NextBackOff()
		attrs, due := failing.failed(describeEnd(status, err))
		log := p.Logger.With("status", describeEnd(status, err), "haproxy", left, "retry_in", wait.Round(time.Millisecond)).With(attrs...)
		switch {
		case !due:
		case crashed:
			log.Error("haproxy-zk crashed, HAProxy keeps serving; starting haproxy-zk again")
		default:
			log.Error("haproxy-zk failed beside a running HAProxy, which keeps serving with a frozen list of instances; will retry")
		}
		select {
		case <-ctx.Done():
			return p.finish(status, errNoDaemon)
		case <-p.startNow:
		case <-time.After(wait):
		}
	}
}

// errNoDaemon means that no daemon was running when a stop was requested.
var errNoDaemon = errors.New("haproxy-zk was not running")

// runDaemon starts the daemon and returns how it ended. The error means that it could
// not be started, or was not because of a stop.
func (p *ProcessOne) runDaemon(ctx context.Context) (unix.WaitStatus, error) {
	reports, child, err := p.start(ctx)
	if err != nil {
		return 0, err
	}
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		readReports(reports, p.heard, p.setGrace)
	}()
	select {
	case <-child.Done():
	case <-p.GraceOver:
		p.endSoon(child)
	}
	p.mu.Lock()
	p.daemon = nil
	p.mu.Unlock()
	reports.Close()
	<-reading
	return child.Status(), nil
}

func (p *ProcessOne) start(ctx context.Context) (reports *os.File, child *Child, err error) {
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start haproxy-zk: %w", err)
	}
	defer pw.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil { // its signal may have come before this daemon
		pr.Close()
		return nil, nil, errNoDaemon
	}
	select {
	case <-p.startNow: // the new daemon does what was requested
	default:
	}
	child, err = p.Reaper.fork(p.Path, p.Args, []*os.File{os.Stdin, os.Stdout, os.Stderr, pw})
	if err != nil {
		pr.Close()
		return nil, nil, err
	}
	p.daemon, p.hears, p.waiting = child, false, nil
	return pr, child, nil
}

// endSoon waits for a daemon that is to end at once, and kills it if it hangs.
func (p *ProcessOne) endSoon(child *Child) {
	select {
	case <-child.Done():
		return
	case <-time.After(fastStopWithin):
	}
	p.Logger.Error("killing haproxy-zk, which did not stop in time")
	if err := child.sendSignal(unix.SIGKILL); err != nil {
		p.Logger.Error("cannot kill haproxy-zk", "error", err)
	}
	<-child.Done()
}

// heard forwards the signals that arrived before the daemon could hear them.
func (p *ProcessOne) heard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.daemon == nil || p.hears {
		return
	}
	for _, sig := range p.waiting {
		p.pass(sig)
	}
	p.hears, p.waiting = true, nil
	select {
	case <-p.GraceOver:
		p.pass(unix.SIGQUIT) // a second pending SIGTERM would be merged into the first
	default:
	}
}

func (p *ProcessOne) setGrace(grace time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grace = grace
}

// remainingHAProxy returns the HAProxy processes that a daemon left behind.
func (p *ProcessOne) remainingHAProxy() ([]int, error) {
	pids, err := p.Reaper.launched()
	if err != nil {
		p.Logger.Error("cannot look for HAProxy", "error", err)
	}
	return pids, err
}

// finish stops the HAProxy that a daemon left behind, as the daemon would have, and
// returns the exit code of process 1.
func (p *ProcessOne) finish(status unix.WaitStatus, ended error) (code int) {
	stopped := false
	for range stopRounds {
		pids, err := p.remainingHAProxy()
		if err != nil || len(pids) == 0 {
			break
		}
		p.Logger.Warn("stopping HAProxy without haproxy-zk", "status", describeEnd(status, ended), "haproxy", pids)
		if err := p.stopHAProxy(pids); err != nil {
			p.Logger.Error("HAProxy did not stop cleanly", "error", err)
			return 1
		}
		stopped = true
	}
	if stopped || ended != nil || status.Signaled() {
		return 0 // the stop that was requested is complete
	}
	return exitCode(status, nil)
}

func (p *ProcessOne) stopHAProxy(pids []int) error {
	h := New(Options{
		StopGrace: p.graceLeft(), GraceStarts: p.GraceStarts, GraceOver: p.GraceOver,
		Reaper: p.Reaper, Logger: p.Logger, Metrics: NewMetrics(prometheus.NewRegistry()),
	})
	// A process that has ended since cannot be adopted, and need not be.
	h.current, _ = h.adoptWorkers(pids)
	h.watch(h.current)
	return h.stop(true)
}

// graceLeft returns the rest of the grace period if the daemon died during a stop: the
// container engine's own timeout began with the signal.
func (p *ProcessOne) graceLeft() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped.IsZero() {
		return p.grace
	}
	begun := p.stopped
	if p.signaled.After(begun) {
		begun = p.signaled
	}
	return max(0, p.grace-time.Since(begun))
}

// exitCode returns a process's exit code, 128 + N if signal N ended it, as in a shell.
func exitCode(status unix.WaitStatus, err error) int {
	switch {
	case err != nil:
		return 1
	case status.Signaled():
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func describeEnd(status unix.WaitStatus, err error) string {
	if err != nil {
		return err.Error()
	}
	return describe(status)
}

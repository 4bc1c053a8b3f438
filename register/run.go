package register

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/retry"
)

// Registrar keeps a node in ZooKeeper. Its methods do not block.
type Registrar interface {
	// Register creates the node and keeps it; the name is the same in all calls.
	Register(name string, data []byte)
	// Deregister deletes the node.
	Deregister()
}

// Command is the program that runs beside the registration.
type Command interface {
	Done() <-chan struct{}
	// ExitCode is valid once Done is closed.
	ExitCode() int
	Signal(sig unix.Signal) error
	Kill() error
}

// Options are the options of [Run].
type Options struct {
	Instance Instance
	Address  Address // complete
	Check    Check
	// Servers are ZooKeeper's, host:port.
	Servers []string
	// Interval is the mean time between two checks, Timeout how long one may take.
	Interval, Timeout time.Duration
	Rules             Rules

	Registrar Registrar
	// Reports has the registrar's reports: whether the node exists.
	Reports Reports
	// Command is nil if there is none.
	Command Command
	Signals Signals
	Logger  *slog.Logger

	probe Probe // instead of Check's in tests
}

// Run checks, registers and deregisters an instance until a stop is requested or the
// command has ended, and returns the exit code: that of the command, 0 without one. It
// returns as soon as the node is deleted, which the end of the registrar's session does in
// any case. The command is running; it has ended on return, unless SIGKILL did not end it.
func Run(ctx context.Context, o Options) (code int) {
	ctx, cancel := context.WithCancel(ctx)
	r := &runner{
		Options: o, life: life{rules: o.Rules, commanded: o.Command != nil},
		located: make(chan netip.AddrPort), results: make(chan error), checking: make(chan struct{}),
		news: newNews(o.Logger, o.Check, o.Rules),
	}
	go func() {
		defer close(r.checking)
		r.check(ctx)
	}()
	defer func() {
		cancel()
		<-r.checking
	}()
	return r.run()
}

// runner carries out what a life decides.
type runner struct {
	Options

	life     life
	news     *news
	addr     netip.AddrPort
	located  chan netip.AddrPort
	results  chan error
	checking chan struct{} // closed when the checks have ended
}

// check finds the address, then checks the instance, until ctx is done.
func (r *runner) check(ctx context.Context) {
	const (
		first   = 100 * time.Millisecond
		longest = 10 * time.Second
	)
	pause := retry.Backoff(first, longest)
	addr, err := r.Address.locate(ctx, r.Servers)
	for err != nil {
		r.Logger.Warn("cannot determine the own address, will retry", "error", err)
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
			return
		}
		addr, err = r.Address.locate(ctx, r.Servers)
	}
	select {
	case r.located <- addr: // before any result
	case <-ctx.Done():
		return
	}
	probe := r.probe
	if probe == nil {
		probe = r.Check.probe(addr)
	}
	checker{probe: probe, interval: r.Interval, timeout: r.Timeout}.run(ctx, r.results)
}

func (r *runner) run() int {
	var ended <-chan struct{}
	if r.Command != nil {
		ended = r.Command.Done()
	}
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		var actions []action
		select {
		case r.addr = <-r.located:
			r.news.located(r.addr)
		case err := <-r.results:
			actions = r.checked(err)
		case exists := <-r.Reports:
			if !exists {
				actions = r.life.gone(time.Now())
			}
		case sig := <-r.Signals.stops:
			actions = r.signaled(sig.(unix.Signal))
		case sig := <-r.Signals.others:
			actions = r.signaled(sig.(unix.Signal))
		case <-ended:
			ended = nil
			actions = r.life.ended(r.Command.ExitCode(), time.Now())
			r.news.ended(r.Command.ExitCode(), r.life)
		case now := <-due.C:
			if !r.life.due.IsZero() && !now.Before(r.life.due) {
				r.news.expired(r.life.state)
				actions = r.life.expired(now)
			}
		}
		for _, a := range actions {
			if a.deed == exit {
				return r.life.code
			}
			r.do(a)
		}
		due.Stop()
		if !r.life.due.IsZero() {
			due.Reset(time.Until(r.life.due))
		}
	}
}

// checked handles the result of a check.
func (r *runner) checked(err error) []action {
	var actions []action
	if err == nil {
		actions = r.life.passed()
	} else {
		actions = r.life.failed()
	}
	r.news.checked(err, r.life)
	return actions
}

// signaled handles a signal.
func (r *runner) signaled(sig unix.Signal) []action {
	before := r.life.state
	actions := r.life.signaled(sig, time.Now())
	r.news.signaled(sig, before, r.life)
	return actions
}

// do carries out an action.
func (r *runner) do(a action) {
	switch a.deed {
	case register:
		name, data, err := r.Instance.node(r.addr, time.Now())
		if err != nil { // only strings and numbers are encoded
			r.Logger.Error("cannot register", "error", err)
			return
		}
		r.Registrar.Register(name, data)
	case deregister:
		r.Registrar.Deregister()
	case forward:
		r.signal(a.sig)
	case kill:
		if err := r.Command.Kill(); err != nil {
			r.Logger.Error("cannot kill the command", "error", err)
		}
	}
}

func (r *runner) signal(sig unix.Signal) {
	if r.Command == nil {
		return
	}
	if err := r.Command.Signal(sig); err != nil {
		r.Logger.Error("cannot forward a signal", "signal", unix.SignalName(sig), "error", err)
	}
}

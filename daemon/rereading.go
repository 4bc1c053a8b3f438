package daemon

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// rereading reads the configuration on request. It finds all problems before it changes
// anything that is running.
type rereading struct {
	opts   Options
	log    *slog.Logger
	reaper *supervisor.Reaper
	// report receives the results of readings.
	report func(registry.Event)
	vacant vacant
	take   take
	wanted chan struct{}
	// asked has the requests waiting for a reading; over is closed when there will be
	// no more readings.
	asked   chan chan<- outcome
	over    chan struct{}
	metrics rereadingMetrics
	// failed is the failure of the last reading; nil if it succeeded.
	failed atomic.Pointer[failure]
}

// vacant returns an error if another process listens on an address that the plans add.
type vacant func(context.Context, []*plan.Plan) error

// take applies the plans, and the access to the HTTP port that the files describe.
type take func(context.Context, []*plan.Plan, *query.Access) (supervisor.Changes, error)

// outcome is the result of one reading.
type outcome struct {
	changes supervisor.Changes
	err     error
}

func newRereading(o Options, reaper *supervisor.Reaper, report func(registry.Event), vacant vacant, take take) *rereading {
	return &rereading{
		opts: o, log: o.Logger.With("component", "configuration"), reaper: reaper, report: report, vacant: vacant, take: take, metrics: newRereadingMetrics(o.Metrics),
		wanted: make(chan struct{}, 1), asked: make(chan chan<- outcome), over: make(chan struct{}),
	}
}

// ask requests a reading. It does not block; requests during another reading are
// merged. The access log is opened again at once.
func (r *rereading) ask() {
	r.opts.AccessLog.Reopen()
	select {
	case r.wanted <- struct{}{}:
	default:
	}
}

// readAndWait requests a reading and returns a one-line summary of what changed. It
// waits until the proxies have their new configuration, but not for its effects. Its
// error is a [*failure] with all reasons, [supervisor.ErrEnded], or that of ctx, which
// does not cancel a reading that has begun. It may be called from any goroutine.
func (r *rereading) readAndWait(ctx context.Context) (summary string, err error) {
	r.opts.AccessLog.Reopen()
	reply := make(chan outcome, 1)
	select {
	case r.asked <- reply:
	case <-r.over:
		return "", supervisor.ErrEnded
	case <-ctx.Done():
		return "", ctx.Err()
	}
	select {
	case done := <-reply:
		return summarize(done.changes), done.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// summarize lists the proxies by how a reading changed them.
func summarize(c supervisor.Changes) string {
	var parts []string
	for _, part := range []struct {
		what  string
		names []string
	}{{"added", c.Added}, {"removed", c.Removed}, {"changed", c.Changed}, {"unchanged", c.Unchanged}} {
		if len(part.names) > 0 {
			parts = append(parts, part.what+": "+strings.Join(part.names, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// problem returns why the last reading of the configuration failed, and since when
// readings have failed; it is empty if the last one succeeded.
func (r *rereading) problem() (text string, since time.Time) {
	if f := r.failed.Load(); f != nil {
		return f.Error(), f.since
	}
	return "", time.Time{}
}

// run reads the configuration on request until ctx is done. It is called once.
func (r *rereading) run(ctx context.Context) {
	defer close(r.over)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wanted:
			r.reread(ctx)
		case reply := <-r.asked:
			r.log.Info("reading the configuration again, asked on the control socket")
			reply <- r.reread(ctx)
		}
	}
}

func (r *rereading) reread(ctx context.Context) outcome {
	_ = r.opts.Systemd.Reloading()
	defer func() { _ = r.opts.Systemd.Ready() }()
	done, err := r.change(ctx)
	if ctx.Err() != nil || errors.Is(err, supervisor.ErrEnded) {
		r.log.Info("configuration not read: haproxy-zk is stopping")
		return outcome{err: supervisor.ErrEnded}
	}
	if err != nil {
		failed := newFailure(err, r.failed.Load())
		for _, problem := range failed.problems {
			r.log.Error("invalid configuration", "problem", problem)
		}
		r.log.Error("configuration rejected, nothing has changed", "config", r.opts.Config)
		r.report(registry.Event{Kind: registry.EventConfigurationRejected, Detail: failed.Error()})
		r.failed.Store(failed)
		r.metrics.failed()
		return outcome{err: failed}
	}
	r.log.Info("configuration reloaded", "config", r.opts.Config,
		"added", done.Added, "removed", done.Removed, "changed", done.Changed, "unchanged", done.Unchanged)
	r.report(registry.Event{Kind: registry.EventConfigurationAccepted, Detail: summarize(done)})
	r.failed.Store(nil)
	r.metrics.succeeded()
	return outcome{changes: done}
}

func (r *rereading) change(ctx context.Context) (supervisor.Changes, error) {
	cfg, err := r.opts.readConfiguration(r.log)
	if err != nil {
		return supervisor.Changes{}, err
	}
	access, err := r.opts.Access()
	problems := []error{err}
	plans, err := r.opts.planProxies(ctx, r.reaper, cfg)
	problems = append(problems, err)
	for _, pl := range plans {
		problems = append(problems, r.opts.Accept(ctx, r.reaper, pl))
	}
	problems = append(problems, r.vacant(ctx, plans))
	if err := errors.Join(problems...); err != nil {
		return supervisor.Changes{}, err
	}
	return r.take(ctx, plans, access)
}

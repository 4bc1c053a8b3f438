package hactl

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/retry"
)

// errFailing is the error of a worker that was skipped because it failed last time.
var errFailing = errors.New("the worker failed to answer before")

// each calls do for every worker of the serving generation; see [each].
func (f *fleet) each(do func(*worker) error) []error { return each(f.workers, do) }

// each calls do for all workers concurrently and returns their errors in the order of
// the workers. A failing worker is skipped and left to apply: waiting for it again
// would only delay the others.
func each(workers []*worker, do func(*worker) error) []error {
	errs := make([]error, len(workers))
	var running sync.WaitGroup
	for i, w := range workers {
		if w.failures > 0 {
			errs[i] = errFailing
			continue
		}
		running.Go(func() { errs[i] = do(w) })
	}
	running.Wait()
	return errs
}

// apply makes every worker's servers match the tables of groups. A worker that fails is
// retried, and replaced if it keeps failing.
func (c *Controller) apply(ctx context.Context, groups []*group) {
	c.fleet.vacate(ctx, groups)
	errs := c.fleet.converge(ctx, groups)
	c.applyRefusals()
	c.noteBackends()
	c.adoptForeign()
	if c.fleet.applyNoticed() {
		c.publish()
	}
	silent, judged := c.fleet.judge(errs, ctx.Err() != nil)
	if silent {
		c.restore(CauseSilent)
	}
	if !judged || !c.fleet.retryAt.IsZero() {
		return
	}
	if c.fleet.confirmed() {
		c.fleet.changed.log(rendered(groups))
	}
	if !c.desired.seen.IsZero() && c.reloads.cause == "" {
		c.opts.Metrics.apply.WithLabelValues(c.opts.Proxy).Observe(c.opts.clock().Sub(c.desired.seen).Seconds())
		c.desired.seen = time.Time{}
	}
}

// converge makes the servers of every worker match the tables, except for workers that
// are being replaced. It returns the errors in the order of the workers.
func (f *fleet) converge(ctx context.Context, groups []*group) []error {
	counts, errs := make([]int, len(f.workers)), make([]error, len(f.workers))
	var converging sync.WaitGroup
	for i, w := range f.workers {
		converge := func() { counts[i], errs[i] = w.converge(ctx, groups) }
		switch {
		case w.failures >= maxFailures: // being replaced
		case i == len(f.workers)-1:
			converge() // on this goroutine, while the goroutines of the other workers are still starting
		default:
			converging.Go(converge)
		}
	}
	converging.Wait()
	f.retryAt = time.Time{}
	for _, n := range counts {
		f.opts.Metrics.commands.WithLabelValues(f.opts.Proxy, "ok").Add(float64(n))
	}
	return errs
}

// applyNoticed applies operators' overrides found on one worker to all workers. It
// reports whether there were any.
func (f *fleet) applyNoticed() (changed bool) {
	for _, w := range f.workers {
		for _, o := range w.noticed {
			f.applyOverride(w, o)
			f.retryAt, changed = f.opts.clock(), true // so that the other workers follow
		}
		w.noticed = nil
	}
	return changed
}

// judge evaluates the errors of [fleet.converge]. over is true if it was interrupted;
// judged is false if an error may be due to that. silent is true if a worker now has to
// be replaced.
func (f *fleet) judge(errs []error, over bool) (silent, judged bool) {
	var short error
	for i, w := range f.workers {
		switch {
		case w.failures >= maxFailures:
			continue
		case errs[i] == nil:
			w.failures = 0
			f.logAccepted(w)
			continue
		case over:
			return silent, false
		}
		w.stale = true
		f.unread.merge(w.late)
		if errors.Is(errs[i], errDied) {
			continue // replaced as soon as its death is received
		}
		f.opts.Metrics.commands.WithLabelValues(f.opts.Proxy, "error").Inc()
		f.retryAt = f.opts.clock().Add(retryAfter)
		if retry.NoDescriptor(errs[i]) {
			// Not the worker's fault, so no reason to replace it.
			short = errs[i]
			continue
		}
		if !errors.Is(errs[i], haproxy.ErrOtherProcess) {
			w.failures++
		}
		if attrs, due := w.rejecting.Failed(f.opts.clock(), errs[i].Error()); due {
			f.opts.Logger.With(attrs...).Warn("worker rejected server updates; it may still route to deregistered instances", "pid", w.pid, "error", errs[i])
		}
		silent = silent || w.failures >= maxFailures
	}
	f.logShort(short)
	return silent, true
}

// confirmed reports whether there are workers and all of them answered last time.
func (f *fleet) confirmed() bool {
	return len(f.workers) > 0 && !slices.ContainsFunc(f.workers, func(w *worker) bool { return w.failures > 0 })
}

// logShort logs that the process is out of file descriptors, and the end of that.
func (f *fleet) logShort(err error) {
	if err != nil {
		if attrs, due := f.short.Failed(f.opts.clock(), err.Error()); due {
			f.opts.Logger.With(attrs...).Error("out of file descriptors: cannot update workers, traffic may reach deregistered instances; raise the open-file limit", "error", err)
		}
		return
	}
	if attrs, ended := f.short.Over(f.opts.clock()); ended {
		f.opts.Logger.With(attrs...).Info("file descriptors are available again, updating workers")
	}
}

func (f *fleet) logAccepted(w *worker) {
	if attrs, ended := w.rejecting.Over(f.opts.clock()); ended {
		f.opts.Logger.With(attrs...).Info("worker accepts server updates again", "pid", w.pid)
	}
}

// vacate removes addresses that move between groups from the old group in every worker
// before any worker adds them to the new one. Otherwise one worker would serve the new
// group while another still serves the old one. Failures are left to apply.
func (f *fleet) vacate(ctx context.Context, groups []*group) {
	entered := make(map[netip.AddrPort]*group)
	vacated := make(map[*group][]int)
	for _, g := range groups {
		in, out := g.table.Moves()
		for _, addr := range in {
			entered[addr] = g
		}
		if len(out) > 0 {
			vacated[g] = out
		}
	}
	type emptied struct {
		group *group
		slot  int
	}
	var left []emptied
	for _, g := range groups {
		for _, i := range vacated[g] {
			if in := entered[g.table.Slots[i].Addr]; in != nil && in != g && !g.table.Slots[i].Placed() {
				left = append(left, emptied{g, i})
			}
		}
	}
	if len(left) == 0 || len(f.workers) < 2 {
		return // the order within one write suffices
	}
	f.each(func(w *worker) error {
		var off []slots.Operation
		for _, p := range left {
			if have := w.have[p.group]; p.slot < len(have) && !slots.Away(have[p.slot]) && !w.stale {
				off = append(off, slots.Vacate(p.group.carrier, p.slot, p.group.table.Slots[p.slot], have[p.slot]))
			}
		}
		if len(off) == 0 {
			return nil
		}
		_, err := w.carryOut(ctx, off)
		w.stale = w.stale || err != nil
		return err
	})
}

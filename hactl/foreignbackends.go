package hactl

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// maxForeign bounds the remembered names of backends that somebody else has added.
const maxForeign = 1000

// lookAtBackends compares the backends of every worker with those that it is to have, if
// any of them come and go at run time. What somebody else has deleted or unpublished is
// repaired by the next convergence; what somebody else has added is removed by a reload,
// once for each name. It returns an upper bound of the CPU time spent.
func (c *Controller) lookAtBackends(ctx context.Context) (cost time.Duration) {
	if !slices.ContainsFunc(c.desired.groups, func(g *group) bool { return g.live() }) {
		return 0
	}
	var mu sync.Mutex
	known := make(map[string]bool, len(c.desired.groups))
	for _, g := range c.desired.groups {
		known[g.backend.Name] = true
	}
	ours := func(name string) bool { return known[name] || c.desired.layout.Template.Taken(name) != "" }
	errs := c.fleet.each(func(w *worker) error {
		if w.stale {
			return nil // it is read in full first
		}
		began := time.Now()
		err := w.lookAtBackends(ctx, ours)
		mu.Lock()
		defer mu.Unlock()
		cost += time.Since(began)
		return err
	})
	if err := errors.Join(errs...); err != nil {
		c.opts.Logger.Debug("cannot read the backends of HAProxy now", "error", err)
	}
	c.noteBackends()
	for _, w := range c.fleet.workers {
		c.noteForeignBackend(w)
	}
	return cost
}

// lookAtBackends finds the backends that somebody else has changed. ours reports whether a
// name is that of a group, or one that the template uses.
func (w *worker) lookAtBackends(ctx context.Context, ours func(name string) bool) error {
	published := make(map[*group]bool)
	w.foreignBackend = ""
	lines := haproxy.NewBackendLines(func(name string, is bool) {
		switch g := w.byName[name]; {
		case g != nil:
			published[g] = is
		case !ours(name):
			w.foreignBackend = name
		}
	})
	ctx, stop := w.whileAlive(ctx)
	defer stop()
	if _, err := w.client.AskLines(ctx, w.pid, lines.Take, haproxy.ShowBackends); err != nil {
		return err
	}
	if err := lines.Complete(); err != nil {
		return err
	}
	for g := range w.have {
		is, found := published[g]
		switch {
		case !g.live():
		case !found:
			w.lose(g)
			w.lost = append(w.lost, g)
		case w.published[g] && !is:
			delete(w.published, g)
			w.lost = append(w.lost, g)
		}
	}
	return nil
}

// noteBackends counts changes of backends, and logs those of somebody else.
func (c *Controller) noteBackends() {
	changes := c.opts.Metrics.backends
	for _, w := range c.fleet.workers {
		changes.WithLabelValues(c.opts.Proxy, backendAdded).Add(float64(w.added))
		changes.WithLabelValues(c.opts.Proxy, backendDeleted).Add(float64(w.deleted))
		w.added, w.deleted = 0, 0
		for _, g := range w.lost {
			c.opts.Metrics.drift.WithLabelValues(c.opts.Proxy).Inc()
			c.opts.Logger.Warn("backend was deleted or unpublished outside haproxy-zk, repairing", "pid", w.pid, "group", g.backend.Name)
			c.fleet.retryAt = c.opts.clock()
		}
		w.lost = nil
	}
}

// noteForeignBackend requests a reload without a backend that somebody else has added.
func (c *Controller) noteForeignBackend(w *worker) {
	name := w.foreignBackend
	if name == "" || c.fleet.foreign[name] || len(c.fleet.foreign) >= maxForeign || c.opts.clock().Sub(c.reloads.last) < foreignReloadGap {
		return
	}
	if c.fleet.foreign == nil {
		c.fleet.foreign = make(map[string]bool)
	}
	c.fleet.foreign[name] = true
	c.opts.Metrics.drift.WithLabelValues(c.opts.Proxy).Inc()
	c.opts.Logger.Warn("backend was added outside haproxy-zk, removing it by a reload", "pid", w.pid, "backend", name)
	c.reloads.ask(CauseCarry, c.opts.clock())
}

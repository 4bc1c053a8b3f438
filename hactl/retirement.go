package hactl

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// The changes of backends at run time, in a metric.
const (
	backendAdded   = "added"
	backendDeleted = "deleted"
	backendRefused = "refused"
)

// retirement is the end of a live group that was deleted, or that the configuration has
// lost.
type retirement struct {
	// retired is true once no request is to reach the group.
	retired bool
	// deleteAfter is when its backend may be deleted; zero unless it is retired.
	deleteAfter time.Time
}

// retireBackend begins the deletion of the group's backend.
func (d *desired) retireBackend(g *group) {
	g.retired, g.deleteAfter = true, d.opts.clock().Add(g.rest)
	d.opts.Metrics.groups.forget(d.opts.Proxy, g.backend.Name)
	d.opts.Logger.Info("group was deleted, removing its backend", "group", g.backend.Name)
}

// dropRetired drops the retired groups whose backends no worker has, and reports whether
// there were any.
func (d *desired) dropRetired(f *fleet) bool {
	before := len(d.groups)
	if len(f.workers) == 0 {
		return false
	}
	d.groups = slices.DeleteFunc(d.groups, func(g *group) bool {
		drop := g.retired && !slices.ContainsFunc(f.workers, func(w *worker) bool { return w.have[g] != nil })
		if drop {
			g.table.Assign(nil, d.opts.clock())
			delete(d.refusals, g.backend.Name)
			delete(d.refusedBackends, g.backend.Name)
		}
		return drop
	})
	return len(d.groups) < before && d.shadow()
}

// refuseBackend records with its reply, quoted, that HAProxy refuses to add or to delete the
// backend of a group, which a reload does from now on.
func (d *desired) refuseBackend(g *group, reply string) {
	if d.refusedBackends == nil {
		d.refusedBackends = make(map[string]string)
	}
	d.refusedBackends[g.backend.Name] = "HAProxy refused to add or delete the backend: " + reply
	d.opts.Metrics.backends.WithLabelValues(d.opts.Proxy, backendRefused).Inc()
	d.opts.Logger.Warn("HAProxy refused to add or delete a backend, reloading it for the group", "group", g.backend.Name, "reply", reply)
	way, reason := d.way(d.layout, g.backend)
	g.carry(d.layout, way, reason)
	g.retired = false // the reload drops it
}

// emptied reports whether the backend of a retired group is to be deleted: nothing else
// remains of the group. The instances of one that the configuration has lost leave only now.
// until is when to look again if it is not.
func (f *fleet) emptied(g *group) (due bool, until time.Time) {
	switch now := f.opts.clock(); {
	case g.deleteAfter.After(now):
		return false, g.deleteAfter
	case g.table.Used() > 0: // requests that were on their way when the group was removed
		g.table.Assign(nil, now)
		return false, now.Add(countEvery)
	case len(g.table.Draining()) > 0:
		return false, now.Add(countEvery)
	}
	return true, time.Time{}
}

// retiring reports whether any worker has the backend of a group that is to be deleted.
func (f *fleet) retiring(g *group) bool {
	return g.retired && slices.ContainsFunc(f.workers, func(w *worker) bool { return w.have[g] != nil })
}

// deleteBackends deletes the backends of retired groups, as many as there is time for.
func (f *fleet) deleteBackends(ctx context.Context, groups []*group) {
	var due []*group
	for _, g := range groups {
		if !f.retiring(g) {
			continue
		}
		if is, until := f.emptied(g); !is {
			f.deleteAt = earliest(f.deleteAt, until)
		} else {
			due = append(due, g)
		}
	}
	if len(due) == 0 {
		return
	}
	var mu sync.Mutex
	skipped := make(map[*group]bool)
	errs := f.each(func(w *worker) error {
		rest, err := w.deleteBackends(ctx, due)
		mu.Lock()
		defer mu.Unlock()
		for _, g := range rest {
			skipped[g] = true
		}
		return err
	})
	if err := errors.Join(errs...); err != nil {
		f.opts.Logger.Debug("cannot delete backends of deleted groups now, will retry", "error", err)
	}
	for _, g := range due {
		switch {
		case !f.retiring(g):
		case skipped[g]:
			f.deleteAt = f.opts.clock() // after what else is to do
		default:
			g.deleteAfter = f.opts.clock().Add(countEvery)
			f.deleteAt = earliest(f.deleteAt, g.deleteAfter)
		}
	}
}

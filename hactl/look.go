package hactl

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// heartbeat sends every worker a heartbeat: while nothing changes, only the resync
// would find a hung worker otherwise. A worker that misses it is read in full, which
// decides whether it is replaced. The reply also has the number of dropped log lines.
func (f *fleet) heartbeat(ctx context.Context) {
	errs := f.each(func(w *worker) error {
		if w.stale {
			return nil // it is read anyway
		}
		dropped, err := w.heartbeat(ctx)
		f.opts.Metrics.droppedLogs.WithLabelValues(f.opts.Proxy).Add(float64(dropped))
		return err
	})
	for i, w := range f.workers {
		w.stale = w.stale || errs[i] != nil
	}
	f.noteVersions()
}

// noteVersions reports the versions that the workers have said they are.
func (f *fleet) noteVersions() {
	var now []string
	for _, w := range f.workers {
		if w.version != "" && !slices.Contains(now, w.version) {
			now = append(now, w.version)
		}
	}
	if len(f.workers) > 0 && len(now) == 0 {
		return // new workers, none has been asked yet
	}
	for _, before := range f.versions {
		if !slices.Contains(now, before) {
			f.opts.Metrics.info.DeleteLabelValues(f.opts.Proxy, before)
		}
	}
	for _, version := range now {
		f.opts.Metrics.info.WithLabelValues(f.opts.Proxy, version).Set(1)
	}
	f.versions = now
}

// resync reads the state of all servers. It returns an upper bound of the CPU time
// spent.
func (c *Controller) resync(ctx context.Context) time.Duration {
	cost := c.look(ctx, c.desired.groups)
	c.fleet.heartbeat(ctx)
	return cost
}

// look calls [fleet.look] and publishes its findings.
func (c *Controller) look(ctx context.Context, groups []*group) (cost time.Duration) {
	cost, changed := c.fleet.look(ctx, groups, len(groups) == len(c.desired.groups))
	if changed {
		c.publish()
	}
	return cost
}

// look reads the actual state of the groups' servers from every worker. An operator's
// change on one worker is applied to all from then on; any other difference is
// repaired. It returns the sum of the workers' response times and the time spent
// comparing; workers that do not answer cost nothing. changed is true if the snapshot
// has to be published again.
func (f *fleet) look(ctx context.Context, groups []*group, all bool) (cost time.Duration, changed bool) {
	if len(groups) == 0 {
		return 0, false
	}
	only := groups
	if all {
		only = nil
	}
	differing := make(map[*worker][]difference, len(f.workers))
	var mu sync.Mutex
	errs := f.each(func(w *worker) error {
		began := time.Now()
		now, _, err := w.differing(ctx, only...)
		mu.Lock()
		defer mu.Unlock()
		differing[w] = now
		if err == nil {
			cost += time.Since(began)
		}
		return err
	})
	began := time.Now()
	for i, w := range f.workers {
		if errs[i] != nil {
			w.stale = true // apply reads it again, counts and logs
			continue
		}
		for _, d := range differing[w] {
			changed = f.compare(w, d) || changed
		}
	}
	f.noteHealth(groups, errs)
	changed = f.noteUp(groups, errs) || changed
	return cost + time.Since(began), changed
}

// compare compares a server that a worker has changed by itself with the table, and
// reports whether an operator has changed it.
func (f *fleet) compare(w *worker, d difference) (operator bool) {
	switch seen := w.observe(d.group, d.slot, d.server); {
	case seen.Drift:
		f.opts.Metrics.drift.WithLabelValues(f.opts.Proxy).Inc()
		d.group.table.Disturb(d.slot)
		f.opts.Logger.Warn("server drifted from the desired state, repairing", "pid", w.pid, "server", d.group.server(d.slot), "state", stateOf(d.server), "address", d.server.Addr)
	case seen.Operator:
		f.applyOverride(w, d)
		return true
	}
	w.put(d.group, d.slot, d.server)
	return false
}

// stateOf returns the administrative state of a server, or that there is none.
func stateOf(s haproxy.Server) string {
	if s.Absent {
		return "absent"
	}
	return string(s.Admin)
}

// applyOverride makes an operator's override on one worker the desired state of all.
func (f *fleet) applyOverride(w *worker, o difference) {
	o.group.touched = true
	o.group.table.Override(o.slot, o.server)
	w.put(o.group, o.slot, o.server)
	f.reportOverride(o.group, o.slot)
	f.opts.Logger.Info("server state was changed outside haproxy-zk, applying it to all workers", "by", o.group.table.Slots[o.slot].ChangedBy(), "pid", w.pid, "server", o.group.server(o.slot), "state", o.server.Admin, "weight", o.server.Weight.String())
}

// noteHealth marks the slots that the health checks of all answering workers found
// dead. Workers with an error in errs are ignored: their last known health is old.
func (f *fleet) noteHealth(groups []*group, errs []error) {
	for _, g := range groups {
		for s := range g.table.Slots {
			slot := &g.table.Slots[s]
			if !slot.Placed() || slot.Operator != "" {
				continue
			}
			down, known := true, false
			for i, w := range f.workers {
				if have := w.have[g]; errs[i] == nil && s < len(have) && have[s].Admin == slot.Admin() && have[s].Addr == slot.Addr {
					down, known = down && have[s].Down, true
				}
			}
			if known {
				f.reportHealth(g, s, down)
				g.table.SetHealth(s, down)
			}
		}
	}
}

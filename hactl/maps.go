package hactl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

const (
	// entriesLogged bounds the entries of a map in one log line, entryLogged the bytes of each.
	entriesLogged, entryLogged = 5, 200
	// mapReloadGap is how old a generation must be to be replaced because one of its maps
	// cannot be repaired: the next one may have the same reason.
	mapReloadGap = time.Minute
)

// mapRepair is what was found in a map of a worker, and done about it.
type mapRepair struct {
	m     haproxy.Map
	drift haproxy.MapDrift
	err   error
}

// repairMaps makes the maps of every worker equal to those that it was started with. They
// change with the backends, by a reload: anything else was changed by somebody else, and
// an entry that names no backend fails all its requests. If a map cannot be repaired, a
// reload brings another. repairMaps returns an upper bound of the CPU time spent.
func (c *Controller) repairMaps(ctx context.Context) time.Duration {
	cost, irreparable := c.fleet.repairMaps(ctx)
	now := c.opts.clock()
	if irreparable && now.Sub(c.reloads.last) >= mapReloadGap {
		c.reloads.ask(CauseMaps, now)
	}
	return cost
}

func (f *fleet) repairMaps(ctx context.Context) (cost time.Duration, irreparable bool) {
	repairs := make(map[*worker][]mapRepair, len(f.workers))
	var mu sync.Mutex
	errs := f.each(func(w *worker) error {
		if w.stale || len(w.maps) == 0 {
			return nil // a stale worker is read in full first
		}
		began := time.Now()
		repaired, err := w.repairMaps(ctx)
		mu.Lock()
		defer mu.Unlock()
		repairs[w] = repaired
		if err == nil {
			cost += time.Since(began)
		}
		return err
	})
	for i, w := range f.workers {
		w.stale = w.stale || errs[i] != nil // apply reads it, counts and logs
		failed := false
		for _, r := range repairs[w] {
			f.logRepair(w, r)
			failed = failed || r.err != nil
		}
		if !failed {
			f.logRepairable(w)
		}
		irreparable = irreparable || failed
	}
	return cost, irreparable
}

// logRepair logs and counts a repair, and logs a failure.
func (f *fleet) logRepair(w *worker, r mapRepair) {
	if r.err != nil {
		if attrs, due := w.irreparable.Failed(f.opts.clock(), r.err.Error()); due {
			f.opts.Logger.With(attrs...).Error("cannot repair a map of HAProxy, requests may reach the wrong group; a reload will replace it", "pid", w.pid, "map", r.m.Path, "error", r.err)
		}
		return
	}
	f.opts.Metrics.mapDrift.WithLabelValues(f.opts.Proxy).Add(float64(len(r.drift.Missing) + len(r.drift.Foreign)))
	f.opts.Logger.Warn("map of HAProxy was changed outside haproxy-zk, repaired it", "pid", w.pid, "map", r.m.Path,
		"missing", len(r.drift.Missing), "foreign", len(r.drift.Foreign), "entries", firstEntries(r.drift))
}

func (f *fleet) logRepairable(w *worker) {
	if attrs, ended := w.irreparable.Over(f.opts.clock()); ended {
		f.opts.Logger.With(attrs...).Info("maps of HAProxy can be repaired again", "pid", w.pid)
	}
}

// firstEntries returns some of the entries that differ, as one printable word each.
func firstEntries(d haproxy.MapDrift) (some []string) {
	for _, e := range slices.Concat(d.Missing, d.Foreign) {
		if len(some) == entriesLogged {
			break
		}
		some = append(some, fmt.Sprintf("%.*q", entryLogged, e))
	}
	return some
}

// repairMaps reads the worker's maps and repairs those that differ. The error is one of
// the connection; that of a map is in its repair.
func (w *worker) repairMaps(ctx context.Context) (repairs []mapRepair, err error) {
	for _, m := range w.maps {
		r, err := w.repairMap(ctx, m)
		if err != nil {
			return repairs, err
		}
		if r.err != nil || r.drift.Any() {
			repairs = append(repairs, r)
		}
	}
	return repairs, nil
}

func (w *worker) repairMap(ctx context.Context, m haproxy.Map) (r mapRepair, err error) {
	r.m = m
	replies, err := w.askAtMost(ctx, m.MaxReply(), m.ShowMap())
	switch {
	case errors.Is(err, haproxy.ErrReplyTooLong):
		r.err = err
		return r, nil
	case err != nil:
		return r, err
	}
	if r.drift, r.err = m.Compare(replies[0]); r.err != nil || !r.drift.Any() {
		return r, nil
	}
	if replies, err = w.ask(ctx, r.drift.Commands()...); err != nil {
		return r, err
	}
	r.err = r.drift.ConfirmRepair(replies)
	return r, nil
}

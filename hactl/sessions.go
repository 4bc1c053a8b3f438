package hactl

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// freeSlots frees the slots of departed instances that have no sessions left, so that
// they can be reused.
func (f *fleet) freeSlots(ctx context.Context, groups []*group) {
	f.countAt = time.Time{}
	for _, g := range groups {
		draining := f.atRest(g)
		if len(draining) == 0 || !f.runs(g) {
			continue
		}
		busy := make(map[string]bool)
		read := make(map[*worker]map[string]haproxy.Stats, len(f.workers))
		var mu sync.Mutex
		errs := f.each(func(w *worker) error {
			servers, err := w.statistics(ctx, g, draining)
			mu.Lock()
			defer mu.Unlock()
			read[w] = servers
			for server, s := range servers {
				busy[server] = busy[server] || s.Sessions+s.Queued > 0
			}
			return err
		})
		if err := errors.Join(errs...); err != nil {
			// The next group would wait as long for the same worker.
			f.opts.Logger.Debug("cannot count sessions, slots of deregistered instances stay unused for now", "group", g.backend.Name, "error", err)
			break
		}
		for _, i := range draining {
			if !busy[g.backend.Servers.Name(i)] && f.outOfService(g, i) {
				g.table.Free(i)
				f.settle(read, g.backend.Servers.Name(i))
			}
		}
	}
	if f.draining(groups) {
		f.countAt = f.opts.clock().Add(countEvery)
	}
}

// settle hands over the last figures of the instance that has left a server, before another
// instance gets the server: HAProxy would count on.
func (f *fleet) settle(read map[*worker]map[string]haproxy.Stats, server string) {
	if f.opts.Settle == nil {
		return
	}
	for w, servers := range read {
		f.opts.Settle(w.pid, servers[server])
	}
}

// outOfService reports whether every worker has confirmed that a slot is out of
// service: until then new sessions may begin on it, whatever the count.
func (f *fleet) outOfService(g *group, slot int) bool {
	return !slices.ContainsFunc(f.workers, func(w *worker) bool {
		have := w.have[g]
		return slot < len(have) && have[slot].Admin != haproxy.Maint
	})
}

package hactl

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// freeSlots frees the slots of departed instances that have no sessions left, so that
// they can be reused.
func (f *fleet) freeSlots(ctx context.Context, groups []*group) {
	f.countAt = time.Time{}
	draining := make(map[*group][]int)
	for _, g := range groups {
		if at := f.atRest(g); len(at) > 0 && f.runs(g) {
			draining[g] = at
		}
	}
	if len(draining) == 0 {
		return
	}
	busy := make(map[server]bool)
	read := make(map[*worker]map[server]haproxy.Stats, len(f.workers))
	var mu sync.Mutex
	errs := f.each(func(w *worker) error {
		servers, err := w.statistics(ctx, draining)
		mu.Lock()
		defer mu.Unlock()
		read[w] = servers
		for at, s := range servers {
			busy[at] = busy[at] || s.Sessions+s.Queued > 0
		}
		return err
	})
	if err := errors.Join(errs...); err != nil {
		f.opts.Logger.Debug("cannot count sessions, slots of deregistered instances stay unused for now", "error", err)
	} else {
		for g, at := range draining {
			for _, i := range at {
				if !busy[server{g, i}] && f.outOfService(g, i) {
					g.table.Free(i)
					f.settle(read, server{g, i})
				}
			}
		}
	}
	if f.draining(groups) {
		f.countAt = f.opts.clock().Add(countEvery)
	}
}

// settle hands over the last figures of the instance that has left a server, before another
// instance gets the server: HAProxy would count on.
func (f *fleet) settle(read map[*worker]map[server]haproxy.Stats, at server) {
	if f.opts.Settle == nil {
		return
	}
	for w, servers := range read {
		f.opts.Settle(w.pid, servers[at])
	}
}

// outOfService reports whether every worker has confirmed that a slot is out of
// service: until then new sessions may begin on it, whatever the count.
func (f *fleet) outOfService(g *group, slot int) bool {
	return !slices.ContainsFunc(f.workers, func(w *worker) bool {
		have := w.have[g]
		return slot < len(have) && !slots.Away(have[slot])
	})
}

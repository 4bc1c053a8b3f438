package hactl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

const (
	// deletionsWithin bounds a pass of deletions, in which changes of instances wait.
	deletionsWithin = 50 * time.Millisecond
	// deletionsAtOnce bounds the deletions of one write: each takes a worker up to 10 ms if
	// connections remain, else about 0.1 ms.
	deletionsAtOnce = 20
	// figuresLast is how long the figures of servers that are out of service are used, in
	// which new ones may have become due.
	figuresLast = 5 * time.Second
)

// The results of attempts to delete a server, in a metric.
const (
	resultDeleted = "deleted"
	resultBusy    = "busy"
	resultError   = "error"
)

// abandoned reports whether the group has servers to be deleted, which instances have left.
func (f *fleet) abandoned(g *group) bool {
	return g.dynamic() && (g.live() || f.runs(g)) && len(g.table.Draining()) > 0
}

// deleteServers deletes the servers that instances have left, once they have been out of
// service for long enough and no connection remains.
func (f *fleet) deleteServers(ctx context.Context, groups []*group) {
	f.deleteAt = time.Time{}
	now := f.opts.clock()
	due := make(map[*group][]int)
	for _, g := range groups {
		if !f.abandoned(g) {
			continue
		}
		for _, i := range g.table.Draining() {
			switch rested, until := f.rested(g, i, now); {
			case f.missing(g, i):
				g.table.Forget(i)
			case !rested:
				f.deleteAt = earliest(f.deleteAt, until)
			default:
				due[g] = append(due[g], i)
			}
		}
	}
	if len(due) == 0 {
		return
	}
	skipped := f.delete(ctx, due, now)
	for g, at := range due {
		for _, i := range at {
			switch {
			case f.missing(g, i):
				g.table.Forget(i)
			case skipped[server{g, i}]:
				f.deleteAt = now // it follows after what else is to do
			default:
				f.deleteAt = earliest(f.deleteAt, g.table.Postpone(i, now))
			}
		}
	}
}

// rested reports whether a server has been out of service in every worker for long enough;
// else until is when to look again.
func (f *fleet) rested(g *group, slot int, now time.Time) (rested bool, until time.Time) {
	if !f.outOfService(g, slot) {
		return false, now.Add(countEvery) // apply takes it out
	}
	return g.table.Rested(slot, now, g.rest)
}

// missing reports whether no worker has the server of a slot.
func (f *fleet) missing(g *group, slot int) bool {
	for _, w := range f.workers {
		if have := w.have[g]; slot < len(have) && !have[slot].Absent {
			return false
		}
	}
	return true
}

// delete tries to delete servers in every worker, as many as there is time for, and returns
// those that a worker had no time for. The last figures of the others are handed over.
func (f *fleet) delete(ctx context.Context, due map[*group][]int, now time.Time) (skipped map[server]bool) {
	var mu sync.Mutex
	skipped = make(map[server]bool)
	errs := f.each(func(w *worker) error {
		rest, err := w.deleteServers(ctx, due, now, func(removed []haproxy.Stats, counts map[string]int) {
			mu.Lock()
			defer mu.Unlock()
			for result, n := range counts {
				f.opts.Metrics.deletions.WithLabelValues(f.opts.Proxy, result).Add(float64(n))
			}
			for _, figures := range removed {
				if f.opts.Removed != nil {
					f.opts.Removed(w.pid, figures)
				}
			}
		})
		mu.Lock()
		defer mu.Unlock()
		for _, at := range rest {
			skipped[at] = true
		}
		return err
	})
	f.logDeletions(errors.Join(errs...), now)
	return skipped
}

// logDeletions logs replies that are unknown. Whatever else fails is logged elsewhere.
func (f *fleet) logDeletions(err error, now time.Time) {
	switch {
	case errors.Is(err, haproxy.ErrUnknownReply):
		if attrs, due := f.undeleted.Failed(now, err.Error()); due {
			f.opts.Logger.With(attrs...).Warn("HAProxy did not confirm the deletion of servers, those that remain are in maintenance; will retry", "error", err)
		}
	case err != nil:
		f.opts.Logger.Debug("cannot delete servers of deregistered instances now, will retry", "error", err)
	default:
		if attrs, ended := f.undeleted.Over(now); ended {
			f.opts.Logger.With(attrs...).Info("HAProxy confirms the deletion of servers again")
		}
	}
}

// lastFigures are the statistics of servers that are out of service: they do not change
// unless connections remain.
type lastFigures struct {
	of map[server]haproxy.Stats
	at time.Time
}

// deleteServers tries to delete servers until the time for that is over, and returns the
// others. It calls report after each write with the last figures of those that are deleted,
// and how many had which result.
func (w *worker) deleteServers(ctx context.Context, due map[*group][]int, now time.Time, report func(removed []haproxy.Stats, counts map[string]int)) (rest []server, err error) {
	begun := time.Now()
	waiting := w.deletable(due)
	if !w.knowsFigures(waiting, now) {
		of, err := w.statistics(ctx, due)
		if err != nil {
			return nil, err
		}
		w.last = lastFigures{of, now}
	}
	for len(waiting) > 0 && time.Since(begun) < deletionsWithin && !w.stale {
		n := min(len(waiting), deletionsAtOnce)
		removed, counts, err := w.deleteSome(ctx, waiting[:n])
		report(removed, counts)
		if err != nil {
			return nil, err
		}
		waiting = waiting[n:]
	}
	return waiting, nil
}

// deletable returns those of the servers that the worker has.
func (w *worker) deletable(due map[*group][]int) (has []server) {
	for g, at := range due {
		have := w.have[g]
		for _, i := range at {
			if i < len(have) && !have[i].Absent {
				has = append(has, server{g, i})
			}
		}
	}
	return has
}

// knowsFigures reports whether the last figures of all these servers are known, and none of
// them may have changed.
func (w *worker) knowsFigures(servers []server, now time.Time) bool {
	return now.Sub(w.last.at) < figuresLast && !slices.ContainsFunc(servers, func(at server) bool {
		last, known := w.last.of[at]
		return !known || inUse(last)
	})
}

// inUse reports whether requests remain.
func inUse(last haproxy.Stats) bool { return last.Sessions+last.Queued > 0 }

// deleteSome tries to delete some servers, whose last figures are known, in one write.
func (w *worker) deleteSome(ctx context.Context, servers []server) (removed []haproxy.Stats, counts map[string]int, err error) {
	counts = make(map[string]int)
	var asked []server
	var requests []string
	for _, at := range servers {
		switch last, known := w.last.of[at]; {
		case known && inUse(last):
			counts[resultBusy]++
		case known:
			asked = append(asked, at)
			requests = append(requests, haproxy.Delete(at.group.server(at.slot))...)
		}
	}
	if len(asked) == 0 {
		return nil, counts, nil
	}
	replies, err := w.ask(ctx, requests...)
	if err != nil {
		counts[resultError] += len(asked)
		w.stale = true
		if !errors.Is(err, haproxy.ErrOtherProcess) {
			for _, at := range asked {
				w.late.put(at.group.server(at.slot))
			}
		}
		return nil, counts, err
	}
	var problems []error
	each := len(replies) / len(asked)
	for i, at := range asked {
		result, err := w.recordDeletion(at, replies[each*i:each*(i+1)])
		counts[result]++
		problems = append(problems, err)
		if result == resultDeleted {
			removed = append(removed, w.last.of[at])
			delete(w.last.of, at)
		}
	}
	return removed, counts, errors.Join(problems...)
}

// recordDeletion records the replies to an attempt to delete a server.
func (w *worker) recordDeletion(at server, replies []string) (result string, err error) {
	switch outcome, err := haproxy.ParseDeletion(replies); {
	case err != nil:
		w.stale = true // it may be deleted
		return resultError, fmt.Errorf("process %d, %s: %w", w.pid, at.group.server(at.slot), err)
	case outcome == haproxy.Busy:
		return resultBusy, nil
	case outcome == haproxy.InService:
		w.stale = true // it is not as it is known
		return resultError, nil
	}
	w.put(at.group, at.slot, haproxy.Server{Absent: true})
	return resultDeleted, nil
}

// foreignServer is a server of a dynamic group that somebody else has added.
type foreignServer struct {
	group  *group
	addr   netip.AddrPort
	server haproxy.Server
}

// foreignReloadGap is how old a generation must be to be replaced because it has servers
// with names that are not ours.
const foreignReloadGap = time.Minute

// adoptForeign makes servers that somebody else has added ours, as those of instances that
// have left: they are taken out of service and deleted. A reload removes those with other
// names.
func (c *Controller) adoptForeign() {
	for _, w := range c.fleet.workers {
		for _, found := range w.foreign {
			g := found.group
			i, ok := g.table.Adopt(found.addr)
			if !ok {
				continue
			}
			w.pad(g)
			w.put(g, i, found.server)
			c.fleet.retryAt = c.opts.clock()
			c.noteForeign(w, g, haproxy.AddressName(found.addr))
		}
		if g := w.alien; g != nil && c.opts.clock().Sub(c.reloads.last) >= foreignReloadGap {
			c.noteForeign(w, g, "with another name")
			c.reloads.ask(CauseCarry, c.opts.clock())
		}
		w.foreign, w.alien = nil, nil
	}
}

func (c *Controller) noteForeign(w *worker, g *group, name string) {
	c.opts.Metrics.drift.WithLabelValues(c.opts.Proxy).Inc()
	c.opts.Logger.Warn("server was added outside haproxy-zk, removing it", "pid", w.pid, "group", g.backend.Name, "server", name)
}

package hactl

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// departAgain is the interval at which departures are repeated during a reload: the
// workers of both generations share the sockets until the old ones get SIGUSR1, and
// either may answer.
const departAgain = 2 * time.Millisecond

// errAgain means that one of two workers sharing a socket may not have received the
// commands yet.
var errAgain = errors.New("a worker may not have received the commands")

// outgoing is the generation that serves during a reload.
type outgoing struct {
	groups  []*group
	workers []*worker
}

// replace calls [Reloader.Reload] and applies departures in the meantime.
func (c *Controller) replace(ctx context.Context, launch registry.Launch) (pids []int, err error) {
	c.meanwhile(ctx, func() { pids, err = c.opts.Reloader.Reload(ctx, launch) })
	return pids, err
}

// meanwhile runs do, which is part of a reload. Instances that leave before do returns
// are removed from the serving generation: after SIGUSR1 its servers cannot be changed
// any more, and its keep-alive clients would send their next request to those
// instances. The new workers were rendered with the instances and accept connections
// immediately, so they are updated as soon as they answer. Everything else waits for
// the end of the reload.
func (c *Controller) meanwhile(ctx context.Context, do func()) {
	old := c.fleet.outgoing
	if len(old.workers) == 0 {
		old = outgoing{c.desired.groups, c.fleet.workers}
	}
	if len(old.workers) == 0 || !c.reloads.serving() {
		do()
		return
	}
	asking, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		do()
	}()
	defer c.in.nudge() // the lists were read but not taken
	heard := make(map[*worker]map[string]bool, len(old.workers))
	for _, w := range old.workers {
		heard[w] = make(map[string]bool)
	}
	left := c.departures(old)
	for {
		var again <-chan time.Time
		if depart(asking, c.opts.clock(), old, left, heard) {
			again = time.After(departAgain)
		}
		select {
		case <-done:
			return
		case <-c.in.wake:
			left = c.departures(old)
		case <-again:
		}
	}
}

// departure is the effect of a pending list on the slots of its group.
type departure struct {
	gone []int // slots of departed instances
	stay []int // slots of instances that are still registered
}

// departures returns, by group, which instances the pending lists lack. It changes
// neither lists nor tables: all decisions wait for the end of the reload.
func (c *Controller) departures(old outgoing) map[*group]departure {
	lists := c.in.lists()
	left := make(map[*group]departure)
	for _, g := range old.groups {
		seen, waits := lists[g.backend.Name]
		if !waits {
			continue
		}
		left[g] = g.departed(seen)
		for _, i := range left[g].gone {
			c.fleet.unread.put(g.server(i)) // so that the new workers are read first
		}
	}
	return left
}

// depart removes the departed instances from every worker of the outgoing generation,
// and from the new worker sharing its socket once that one answers. heard has the
// servers that each worker has been updated with. It returns whether to repeat the
// call.
func depart(ctx context.Context, now time.Time, old outgoing, left map[*group]departure, heard map[*worker]map[string]bool) (again bool) {
	errs := each(old.workers, func(w *worker) error {
		off, err := w.departing(ctx, left, heard[w], now)
		if errors.Is(err, haproxy.ErrOtherProcess) {
			return errAgain
		}
		if err != nil || len(off) == 0 {
			return err
		}
		_, err = w.carryOut(ctx, off)
		if errors.Is(err, haproxy.ErrOtherProcess) {
			for _, op := range off {
				heard[w][op.Server] = true
			}
			return errAgain
		}
		if err == nil {
			return errAgain // the other worker may have started answering
		}
		w.stale = true
		return err
	})
	return slices.Contains(errs, errAgain)
}

// departing returns the operations that take departed instances out of service in the
// worker and in the one sharing its socket. It asks the worker which servers take
// requests, since recent changes by operators or health checks have not been read yet,
// and omits groups that would be left without any.
func (w *worker) departing(ctx context.Context, left map[*group]departure, heard map[string]bool, now time.Time) (off []slots.Operation, err error) {
	serving := make(map[*group]bool) // groups of which it is known to send requests to a departed instance
	for g, d := range left {
		if slices.ContainsFunc(d.gone, func(i int) bool { return w.has(g, i) && w.have[g][i].Admin == haproxy.Ready }) {
			serving[g] = true
		}
	}
	state := make(map[*group]map[int]haproxy.Server)
	if len(serving) > 0 {
		err := w.eachServer(ctx, func(g *group, slot int, actual haproxy.Server) {
			if state[g] == nil {
				state[g] = make(map[int]haproxy.Server)
			}
			state[g][slot] = actual
		}, slices.Collect(maps.Keys(serving))...)
		if err != nil {
			return nil, err
		}
	}
	for g, d := range left {
		if serving[g] && !g.anyServes(state[g], d.stay) {
			continue
		}
		for _, i := range d.gone {
			if w.has(g, i) && (w.have[g][i].Admin == haproxy.Ready || !heard[g.server(i)]) {
				off = append(off, g.table.Depart(g.carrier, i, w.agents[g], now))
			}
		}
	}
	return off, nil
}

// has reports whether the worker has the address of a slot.
func (w *worker) has(g *group, slot int) bool {
	return slot < len(w.have[g]) && w.have[g][slot].Addr == g.table.Slots[slot].Addr
}

// anyServes reports whether servers at any of the slots take requests by a worker's state.
func (g *group) anyServes(state map[int]haproxy.Server, at []int) bool {
	return slices.ContainsFunc(at, func(i int) bool {
		s := state[i]
		return s.Addr == g.table.Slots[i].Addr && s.Admin == haproxy.Ready && !s.Down && s.Weight != haproxy.NoWeight
	})
}

// departed returns which instances a newer list lacks. It returns none if the loss
// guard may have to decide, or if no remaining registered instance is known to serve.
func (g *group) departed(seen registry.Group) departure {
	before, registered := addresses(g.registered()), addresses(seen.Instances)
	var d departure
	serves := false
	for i, s := range g.table.Slots {
		switch {
		case !s.Used || i >= g.running:
		case registered[s.Addr]:
			d.stay = append(d.stay, i)
			serves = serves || !s.Down && s.TakesTraffic()
		case before[s.Addr]: // otherwise the instance is held
			d.gone = append(d.gone, i)
		}
	}
	if !serves || g.checked() && g.members.Excessive(len(d.gone), len(seen.Instances)) {
		return departure{}
	}
	return d
}

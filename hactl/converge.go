package hactl

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// errFailing stands for a worker that was not asked because it failed last time.
var errFailing = errors.New("the worker failed to answer before")

// each runs do for every worker at the same time and returns their errors, in
// the workers' order. A worker that fails is left to apply: waiting for it once
// more would only keep the others waiting.
func (c *Controller) each(do func(*worker) error) []error {
	errs := make([]error, len(c.workers))
	var running sync.WaitGroup
	for i, w := range c.workers {
		if w.failures > 0 {
			errs[i] = errFailing
			continue
		}
		running.Go(func() { errs[i] = do(w) })
	}
	running.Wait()
	return errs
}

// apply makes every worker's servers those of the tables. A worker that cannot
// be made so is tried again, and replaced when that does not help.
func (c *Controller) apply(ctx context.Context) {
	c.vacate(ctx)
	counts, errs := make([]int, len(c.workers)), make([]error, len(c.workers))
	var converging sync.WaitGroup
	for i, w := range c.workers {
		converge := func() { counts[i], errs[i] = w.converge(ctx, c.groups) }
		switch {
		case w.failures >= maxFailures: // it is being replaced
		case i == len(c.workers)-1:
			converge() // the others run meanwhile; a goroutine takes its time to start
		default:
			converging.Go(converge)
		}
	}
	converging.Wait()
	c.retryAt = time.Time{}
	for _, w := range c.workers {
		for _, o := range w.noticed {
			c.obey(w, o)
			c.retryAt = time.Now() // the others follow
		}
		if len(w.noticed) > 0 {
			w.noticed = nil
			c.publish()
		}
	}
	var short error
	for i, w := range c.workers {
		c.Metrics.commands.WithLabelValues(c.Proxy, "ok").Add(float64(counts[i]))
		if w.failures >= maxFailures {
			continue
		}
		if errs[i] == nil {
			w.failures = 0
			continue
		}
		if ctx.Err() != nil {
			return
		}
		w.stale = true
		c.unread.merge(w.late)
		if errors.Is(errs[i], errDied) {
			continue // it is replaced as soon as that is heard
		}
		c.Metrics.commands.WithLabelValues(c.Proxy, "error").Inc()
		if noDescriptor(errs[i]) {
			// It would be replaced for what is no fault of its own.
			short = errs[i]
			c.retryAt = time.Now().Add(retryAfter)
			continue
		}
		if !errors.Is(errs[i], errOtherProcess) {
			w.failures++
		}
		c.Logger.Warn("a worker does not take its servers, it may serve retired instances", "pid", w.pid, "error", errs[i], "failures", w.failures)
		c.retryAt = time.Now().Add(retryAfter)
		if w.failures >= maxFailures {
			c.restore("worker does not answer")
		}
	}
	c.tellShort(short)
	if c.retryAt.IsZero() && !c.seen.IsZero() && c.reloadCause == "" {
		c.Metrics.apply.WithLabelValues(c.Proxy).Observe(time.Since(c.seen).Seconds())
		c.seen = time.Time{}
	}
}

// tellShort tells when workers begin and end not to be asked for want of a
// descriptor.
func (c *Controller) tellShort(err error) {
	switch {
	case err != nil && !c.short:
		c.Logger.Error("no descriptor is left to ask the workers with, they may serve retired instances until there is one: raise the limit of open files", "error", err)
	case err == nil && c.short:
		c.Logger.Info("there are descriptors again, the workers are asked")
	}
	c.short = err != nil
}

// vacate takes addresses that enter another group out of the one they leave, in
// every worker before any of them lets them in: until then one worker would serve
// the new group while another still serves the old. What fails is left to apply.
func (c *Controller) vacate(ctx context.Context) {
	entered := make(map[netip.AddrPort]*group)
	for _, g := range c.groups {
		for _, addr := range g.table.entered {
			entered[addr] = g
		}
		g.table.entered = nil
	}
	type place struct {
		group *group
		slot  int
	}
	var left []place
	for addr, in := range entered {
		for _, g := range c.groups {
			if i, known := g.table.at[addr]; known && g != in && !g.table.Slots[i].placed() {
				left = append(left, place{g, i})
			}
		}
	}
	if len(left) == 0 || len(c.workers) < 2 {
		return // the order within one write is enough
	}
	c.each(func(w *worker) error {
		var off []operation
		for _, p := range left {
			if have := w.have[p.group]; p.slot < len(have) && have[p.slot].Admin != Maint && !w.stale {
				off = append(off, vacating(p.group, p.slot, have[p.slot]))
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

// servesElsewhere tells whether an address is in service in another group.
func (c *Controller) servesElsewhere(g *group, addr netip.AddrPort) bool {
	return slices.ContainsFunc(c.groups, func(other *group) bool {
		return other != g && !other.aside && other.inService(registry.Instance{Addr: addr})
	})
}

// beat asks every worker for a sign of life: while nothing changes, one that hangs
// would be found by the sweep alone. Whoever gives none is read, which is what it
// is judged by. How many lines of its log it dropped comes with the answer.
func (c *Controller) beat(ctx context.Context) {
	errs := c.each(func(w *worker) error {
		if w.stale {
			return nil // it is read anyway
		}
		dropped, err := w.beat(ctx)
		c.Metrics.droppedLogs.WithLabelValues(c.Proxy).Add(float64(dropped))
		return err
	})
	for i, w := range c.workers {
		w.stale = w.stale || errs[i] != nil
	}
}

// sweep looks at everything.
func (c *Controller) sweep(ctx context.Context) {
	c.look(ctx, c.groups)
	c.beat(ctx)
}

// look reads what every worker really has of some groups. What an operator
// changed on one of them is wanted on all from then on; anything else that
// differs is repaired.
func (c *Controller) look(ctx context.Context, groups []*group) {
	if len(groups) == 0 {
		return
	}
	only := groups
	if len(groups) == len(c.groups) {
		only = nil
	}
	states := make(map[*worker]ServersState, len(c.workers))
	var mu sync.Mutex
	errs := c.each(func(w *worker) error {
		state, err := w.state(ctx, only...)
		mu.Lock()
		states[w] = state
		mu.Unlock()
		return err
	})
	changed := false
	for i, w := range c.workers {
		if errs[i] != nil {
			w.stale = true // apply reads again, counts and logs
			continue
		}
		for _, g := range groups {
			have := w.have[g]
			for s := range have {
				actual, found := states[w][g.backend.Name][g.backend.Servers.name(s)]
				if !found {
					continue
				}
				actual = g.heed(actual, have[s])
				switch seen := w.observe(g, s, actual); {
				case seen.drift:
					c.Metrics.drift.WithLabelValues(c.Proxy).Inc()
					c.Logger.Warn("a server was changed behind our back, repairing it", "pid", w.pid, "server", g.server(s), "state", actual.Admin, "address", actual.Addr)
				case seen.operator:
					changed = true
					c.obey(w, wish{g, s, actual})
				}
				have[s] = actual
			}
		}
	}
	c.noteHealth(groups, errs)
	if changed {
		c.publish()
	}
}

// obey makes what an operator has done on one worker what is wanted of all.
func (c *Controller) obey(w *worker, o wish) {
	slot := &o.group.table.Slots[o.slot]
	o.group.touched = true
	slot.Operator, slot.Weight = o.server.Admin, o.server.Weight
	slot.until = time.Time{} // of one that leaves, its sessions end
	if o.server.Admin == Ready {
		slot.Operator = ""
	}
	w.have[o.group][o.slot] = o.server
	c.Logger.Info("an operator changed a server, all workers follow", "pid", w.pid, "server", o.group.server(o.slot), "state", o.server.Admin, "weight", o.server.Weight.String())
}

// noteHealth marks the slots that the health check of every worker found dead
// that answered, which is where errs is nil: what another one said last is old.
func (c *Controller) noteHealth(groups []*group, errs []error) {
	for _, g := range groups {
		for s := range g.table.Slots {
			slot := &g.table.Slots[s]
			if !slot.placed() || slot.Operator != "" {
				continue
			}
			down, known := true, false
			for i, w := range c.workers {
				if have := w.have[g]; errs[i] == nil && s < len(have) && have[s].Admin == slot.admin() && have[s].Addr == slot.Addr {
					down, known = down && have[s].Down, true
				}
			}
			if known {
				slot.Down, slot.unproven, slot.unchecked = down, slot.unproven && down, slot.unchecked && down
			}
		}
	}
}

// release finds which retired instances have no session left, so that their
// slots can be given to others.
func (c *Controller) release(ctx context.Context) {
	c.releaseAt = time.Time{}
	for _, g := range c.groups {
		draining := g.table.Draining()
		if len(draining) == 0 || !c.runs(g) {
			continue
		}
		busy := make(map[string]bool)
		var mu sync.Mutex
		errs := c.each(func(w *worker) error {
			sessions, err := w.sessions(ctx, g, draining)
			mu.Lock()
			defer mu.Unlock()
			for server, n := range sessions {
				busy[server] = busy[server] || n > 0
			}
			return err
		})
		if err := errors.Join(errs...); err != nil {
			// The next group would wait for the same worker as long again.
			c.Logger.Debug("cannot count sessions, retired slots stay unused for now", "group", g.backend.Name, "error", err)
			break
		}
		for _, i := range draining {
			if !busy[g.backend.Servers.name(i)] && c.outOfService(g, i) {
				g.table.Release(i)
			}
		}
	}
	if c.draining() {
		c.releaseAt = time.Now().Add(releaseEvery)
	}
}

// outOfService tells whether every worker has confirmed that a slot is out of
// service: until then sessions may begin on it, whatever was counted.
func (c *Controller) outOfService(g *group, slot int) bool {
	return !slices.ContainsFunc(c.workers, func(w *worker) bool {
		have := w.have[g]
		return slot < len(have) && have[slot].Admin != Maint
	})
}

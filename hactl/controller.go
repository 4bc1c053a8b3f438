package hactl

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Controller keeps the servers of every worker of one proxy equal to the registered
// instances.
type Controller struct {
	opts   Options // never changes
	in     *inbox
	status atomic.Pointer[status]
	// launched is never nil.
	launched atomic.Pointer[launched]

	// Owned by Run.

	desired *desired
	fleet   *fleet
	reloads schedule
	files   files
}

// New returns a controller; call [Controller.Run] to start it. Its template and frame
// must have passed [haproxy.Template.Validate].
func New(o Options) *Controller {
	if o.clock == nil {
		o.clock = time.Now
	}
	if o.Report == nil {
		o.Report = func(registry.Event) {}
	}
	c := &Controller{opts: o, in: newInbox(o.clock), reloads: newSchedule(), files: newFiles()}
	c.desired, c.fleet = newDesired(&c.opts), newFleet(&c.opts)
	c.launched.Store(&launched{version: o.Frame.Version})
	c.status.Store(&status{problem: "the instances have not been read yet"})
	c.publish()
	return c
}

// SetGroups sets the discovered groups. Like [Controller.SetGroup] it does not block.
func (c *Controller) SetGroups(d registry.Discovered) { c.own(func() { c.in.list(d) }) }

// SetGroup sets the instances registered in a group; a discovered group must have been
// named by SetGroups first. It does not block. If several lists of one group arrive
// while Run is busy, the last one wins.
func (c *Controller) SetGroup(g registry.Group) { c.own(func() { c.in.put(g) }) }

// own calls do unless a [Source] has replaced the controller as the source of lists.
func (c *Controller) own(do func()) {
	c.in.requests.mu.Lock()
	defer c.in.requests.mu.Unlock()
	if c.in.requests.source == nil {
		do()
	}
}

// Snapshot returns what the proxy is meant to serve.
func (c *Controller) Snapshot() *registry.Snapshot { return c.status.Load().snapshot }

// Ready returns nil if every worker answers and is up to date.
func (c *Controller) Ready() error {
	if p := c.status.Load().problem; p != "" {
		return errors.New(p)
	}
	return nil
}

// Run starts HAProxy and keeps its workers up to date until ctx is done; then it
// returns nil. It calls started once HAProxy serves. It returns an error only if
// HAProxy cannot be started.
func (c *Controller) Run(ctx context.Context, started func()) error {
	c.opts.Metrics.add(c.opts.Proxy)
	defer c.opts.Metrics.forget(c.opts.Proxy)
	defer c.fleet.changed.sum()
	var hearing sync.WaitGroup
	defer hearing.Wait()
	listening, cancel := context.WithCancel(ctx)
	defer cancel()
	died := c.opts.Reloader.Died()
	hearing.Go(func() { c.fleet.deaths.collect(listening, died) })
	if !c.awaitGroups(ctx) {
		return nil
	}
	states := c.takeOver(ctx)
	c.fleet.changed.starting = !c.desired.servedBefore(states)
	emptied := c.desired.deferEmptied()
	if c.desired.retain() {
		c.protect(ctx)
		c.publish()
	}
	if !c.resume(ctx, states) {
		if err := c.replaceGeneration(ctx, CauseStart); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	c.desired.measure(c.desired.rendered())
	c.desired.arrangeLatencies()
	started()
	for g, list := range emptied {
		c.desired.see(g, list)
	}
	if c.in.requests.waiting() || len(emptied) > 0 {
		c.in.nudge()
	}
	c.fleet.begin()
	for {
		timer := time.NewTimer(c.next().Sub(c.opts.clock()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-c.in.wake:
		case pid := <-c.fleet.deaths.heard:
			c.replaceDead(pid)
		case <-timer.C:
			if c.beatAlone(ctx) {
				continue
			}
		}
		timer.Stop()
		c.step(ctx)
	}
}

// awaitGroups returns true once every group was read, or when StartWait is over.
func (c *Controller) awaitGroups(ctx context.Context) bool {
	timer := time.NewTimer(c.opts.StartWait)
	defer timer.Stop()
	for !c.desired.complete() {
		select {
		case <-ctx.Done():
			return false
		case <-c.in.wake:
			c.absorb(ctx)
			if c.desired.change != nil {
				c.install(ctx, c.desired.change)
				c.desired.change = nil
				c.reloads.withdraw(CauseConfiguration)
				c.publish()
			}
		case <-timer.C:
			c.absorb(ctx) // whatever has arrived so far
			if c.desired.complete() {
				break
			}
			c.opts.Logger.Warn("starting HAProxy before all groups were read, the others have no servers yet", "waiting", c.Snapshot().Waiting)
			return true
		}
	}
	return ctx.Err() == nil
}

// next returns when the loop has something to do, even if nothing arrives.
func (c *Controller) next() time.Time {
	return earliest(c.desired.next(), c.fleet.next(), c.reloads.next(), c.files.at)
}

// beatAlone sends the heartbeat if nothing else is due, and reports whether that was all:
// if every worker has answered, the tables of all groups are as they were.
func (c *Controller) beatAlone(ctx context.Context) bool {
	now := c.opts.clock()
	if other := earliest(c.desired.next(), c.fleet.nextChange(), c.reloads.next(), c.files.at); c.fleet.heartbeatAt.After(now) || !other.After(now) {
		return false
	}
	c.beat(ctx)
	return c.fleet.upToDate()
}

func (c *Controller) beat(ctx context.Context) {
	c.fleet.heartbeat(ctx)
	c.fleet.heartbeatAt = c.opts.clock().Add(c.opts.Heartbeat)
}

// step does what is due and applies what has arrived.
func (c *Controller) step(ctx context.Context) {
	if done, absorbed := c.applyLists(ctx); !done {
		c.stepAll(ctx, absorbed)
	}
}

// stepAll is step for all groups. absorbed is true if what has arrived was absorbed.
func (c *Controller) stepAll(ctx context.Context, absorbed bool) {
	now := c.opts.clock()
	if !c.fleet.resyncAt.After(now) {
		cost := min(c.resync(ctx)+c.lookAtBackends(ctx)+c.repairMaps(ctx), c.fleet.mostOfResync())
		c.fleet.resyncAt = c.opts.clock().Add(c.fleet.cadence.next(cost, c.opts.Resync))
	}
	if !c.fleet.heartbeatAt.After(now) {
		c.beat(ctx)
	}
	if at := c.fleet.renewals.at; !at.IsZero() && !at.After(now) {
		c.fleet.renew(ctx, c.desired.groups)
	}
	if at := c.fleet.countAt; !at.IsZero() && !at.After(now) {
		c.fleet.freeSlots(ctx, c.desired.groups)
	}
	if at := c.fleet.deleteAt; !at.IsZero() && !at.After(now) {
		c.fleet.deleteServers(ctx, c.desired.groups)
		c.fleet.deleteBackends(ctx, c.desired.groups)
	}
	if !absorbed {
		c.absorb(ctx)
	}
	c.retire()
	c.assign(ctx)
	c.apply(ctx, c.desired.groups)
	c.reloadDue(ctx)
	c.keepFiles()
	c.reportAll()
}

func (c *Controller) reportAll() {
	c.desired.arrangeLatencies()
	c.report(c.desired.rendered())
}

// report updates the metrics and logs outages of groups.
func (c *Controller) report(groups []*group) {
	c.desired.measure(groups)
	c.desired.logOutages(groups)
	if due := c.fleet.changed.due(); !due.IsZero() && !due.After(c.opts.clock()) {
		c.fleet.changed.sum()
	}
}

// retire removes the discovered groups that are gone, by a reload if necessary.
func (c *Controller) retire() {
	readmitted := c.desired.dropRetired(c.fleet)
	retired, reload := c.desired.retire()
	if (reload || readmitted) && len(c.fleet.workers) > 0 {
		c.reloads.ask(CauseGroups, c.opts.clock())
	}
	if retired {
		c.publish()
	}
}

// absorb applies the requests and lists that have arrived.
func (c *Controller) absorb(ctx context.Context) {
	// Released instances are dropped before the lists that arrived in the meantime are
	// applied.
	changed := c.takeRequests() && c.protect(ctx)
	c.open(ctx, c.in.take(), changed)
}

// open applies lists. changed is true if the snapshot may have changed before.
func (c *Controller) open(ctx context.Context, mail mail, changed bool) {
	if !mail.empty() {
		c.read(mail)
	}
	if c.protect(ctx) || changed || !mail.empty() {
		c.publish()
	}
}

func (c *Controller) read(mail mail) {
	before := c.desired.births
	added := c.desired.read(mail)
	if born := c.desired.births - before; born > added && len(c.fleet.workers) > 0 {
		c.opts.Logger.Info("groups discovered, adding their backends without a reload", "groups", born-added)
	}
	if len(c.fleet.workers) > 0 && added > 0 {
		c.opts.Logger.Info("groups discovered, reloading HAProxy to add their backends", "groups", added)
		c.reloads.ask(CauseGroups, c.opts.clock())
	}
}

// assign assigns slots to the meant instances; those without a slot wait for a reload.
func (c *Controller) assign(ctx context.Context) {
	unplaced := c.assignAll()
	if unplaced > 0 && !c.fleet.countAt.IsZero() {
		c.fleet.freeSlots(ctx, c.desired.groups)
		unplaced = c.assignAll()
	}
	switch {
	case unplaced > 0 && c.reloads.cause == "":
		c.opts.Logger.Info("more instances than slots, reloading HAProxy to add slots", "unplaced", unplaced)
		c.reloads.ask(CauseSlots, c.opts.clock())
	case unplaced == 0 && c.reloads.cause == CauseSlots && !c.fleet.grown(c.desired.rendered()):
		// Instances left or slots became free while the reload waited.
		c.reloads.withdraw(CauseSlots)
		c.setProblem(c.desired.startProblem)
		c.publish()
	}
	c.fleet.awaitRest(c.desired.groups)
}

func (c *Controller) assignAll() (unplaced int) {
	unplaced, changed := c.desired.assign()
	if changed {
		c.publish()
	}
	return unplaced
}

package hactl

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Reloader makes configurations the running ones.
type Reloader interface {
	// Reload starts HAProxy with a configuration, in place of the generation
	// that runs, and returns the pids of its workers once all of them answer.
	// On error whatever ran before still runs.
	Reload(ctx context.Context, launch registry.Launch) (pids []int, err error)
	// Died gives the pid of a worker that ended although nobody told it to.
	Died() <-chan int
	// Crowded tells whether so many earlier generations still finish their
	// connections that a reload that is not urgent should wait.
	Crowded() bool
}

// Options of a [Controller].
type Options struct {
	Proxy    string
	Template *Template
	Frame    Frame
	Backends []Backend
	// Discover makes the backend of a group that is discovered; nil is that none
	// is. Its error says why the name cannot be a group's.
	Discover func(name string) (Backend, error)
	Reloader Reloader
	// StartWait is how long HAProxy's start waits for the groups to be read.
	StartWait time.Duration
	// Sweep is how often every worker's real state is compared with the desired one.
	Sweep time.Duration
	// Beat is how often every worker is asked for a sign of life.
	Beat time.Duration
	// Timeout bounds one request to a stats socket.
	Timeout time.Duration
	Logger  *slog.Logger
	Metrics *Metrics
}

// Controller keeps the servers of every worker of one proxy equal to what is
// registered.
type Controller struct {
	Options

	inbox    *inbox
	requests requests
	deaths   *deaths
	snapshot atomic.Pointer[registry.Snapshot]
	problem  atomic.Pointer[string]

	// What follows belongs to Run.

	groups  []*group // in the order of the rendered file
	workers []*worker
	// seen is when the oldest change that is not applied yet was seen.
	seen time.Time

	sweepAt   time.Time
	beatAt    time.Time
	releaseAt time.Time // zero: no slot is draining
	retryAt   time.Time // zero: no worker is stale
	retireAt  time.Time // zero: no discovered group is empty
	holdAt    time.Time // zero: nobody is held
	enterAt   time.Time // zero: nobody waits to enter
	drainAt   time.Time // zero: nobody who left keeps its sessions

	// listed is true once it is known which groups there are to discover.
	listed bool
	// older is true while that is what was kept: HAProxy may have others.
	older bool
	// recalled is what an HAProxy that ran already had, of groups not read yet.
	recalled map[string]map[netip.AddrPort]Slot
	// refused are the discovered names that cannot be groups, logged once.
	refused map[string]bool

	// unread is what workers of this generation that failed to answer were asked
	// for: it may wait on their sockets.
	unread late
	// short is true while there is no descriptor to ask the workers with.
	short bool

	change   *Source // nil: the layout is to stay
	changeAt time.Time

	reloadCause string // empty: none is wanted
	reloadAt    time.Time
	urgent      bool   // it replaces workers
	postponed   bool   // and was told so
	failing     string // why the last reload failed, without digits
	reloadError string // why, while what ran before serves on
	// startProblem is why it is not ready since the start; empty is that it was.
	startProblem string
	reloaded     time.Time
	backoff      *backoff.ExponentialBackOff
}

const (
	// A reload that adds slots or groups waits this long after the one before.
	reloadGap = time.Second
	// While earlier generations crowd it waits so long, and then goes on: nothing
	// waits for a client that never leaves.
	crowdedGap   = time.Minute
	crowdedRetry = time.Second
	// A generation that lived longer than this starts the backoff anew.
	settled = 10 * time.Second
	// So many failures in a row of one worker ask for its replacement.
	maxFailures = 2

	releaseFirst = 200 * time.Millisecond
	releaseEvery = time.Second
	retryAfter   = 100 * time.Millisecond
	adoptWithin  = 5 * time.Second
	// A sign of life takes no work: one that is late is reason to look closer.
	beatWithin = time.Second
)

// New returns a controller that waits to be run. Its template and frame must
// have passed [Template.Validate].
func New(o Options) *Controller {
	c := &Controller{Options: o, inbox: newInbox(), deaths: newDeaths()}
	c.backoff = backoff.NewExponentialBackOff()
	// Half as much more or less is at random: 30 s at most.
	c.backoff.InitialInterval, c.backoff.MaxInterval, c.backoff.Multiplier = 100*time.Millisecond, 20*time.Second, 2
	for _, b := range o.Backends {
		c.groups = append(c.groups, newGroup(b, false))
	}
	c.listed = o.Discover == nil
	c.setProblem("the instances have not been read yet")
	c.publish()
	return c
}

// SetGroups tells which groups are discovered now. Like [Controller.SetGroup] it
// does not block.
func (c *Controller) SetGroups(d registry.Discovered) { c.own(func() { c.inbox.list(d) }) }

// SetGroup tells what is registered in a group now; of a discovered one after
// SetGroups named it. It does not block; of
// several lists of one group that come while Run is busy the last counts.
func (c *Controller) SetGroup(g registry.Group) { c.own(func() { c.inbox.put(g) }) }

// own does what stands only while no [Source] has taken the controller's place.
func (c *Controller) own(do func()) {
	c.requests.mu.Lock()
	defer c.requests.mu.Unlock()
	if c.requests.source == nil {
		do()
	}
}

// Snapshot is what the proxy means to serve.
func (c *Controller) Snapshot() *registry.Snapshot { return c.snapshot.Load() }

// Ready returns nil when every worker answers and is as it should be.
func (c *Controller) Ready() error {
	if p := c.problem.Load(); p != nil {
		return errors.New(*p)
	}
	return nil
}

func (c *Controller) setProblem(text string) {
	if text == "" {
		c.problem.Store(nil)
		return
	}
	c.problem.Store(&text)
}

// Run starts HAProxy and keeps it right until ctx is done; then it returns nil.
// It calls started once HAProxy serves; that it cannot start is the only error.
func (c *Controller) Run(ctx context.Context, started func()) error {
	defer c.Metrics.forget(c.Proxy)
	var hearing sync.WaitGroup
	defer hearing.Wait()
	listening, cancel := context.WithCancel(ctx)
	defer cancel()
	died := c.Reloader.Died()
	hearing.Go(func() { c.deaths.hear(listening, died) })
	if !c.awaitGroups(ctx) {
		return nil
	}
	c.recall(ctx)
	emptied := c.doubt()
	if c.retain() {
		c.protect(ctx)
		c.publish()
	}
	if err := c.reload(ctx, "start"); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	started()
	c.measure()
	for g, told := range emptied {
		g.see(told, time.Now())
	}
	if c.requests.waiting() || len(emptied) > 0 {
		c.inbox.nudge()
	}
	c.sweepAt, c.beatAt = time.Now().Add(c.Sweep), time.Now().Add(c.Beat)
	for {
		timer := time.NewTimer(time.Until(c.next()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-c.inbox.wake:
		case pid := <-c.deaths.heard:
			c.bury(pid)
		case <-timer.C:
		}
		timer.Stop()
		c.step(ctx)
	}
}

// awaitGroups returns true when every group was read once, or StartWait is over.
func (c *Controller) awaitGroups(ctx context.Context) bool {
	timer := time.NewTimer(c.StartWait)
	defer timer.Stop()
	for !c.complete() {
		select {
		case <-ctx.Done():
			return false
		case <-c.inbox.wake:
			c.absorb(ctx)
			if c.change != nil {
				c.install(ctx, c.change)
				c.change = nil
				c.publish()
			}
		case <-timer.C:
			c.absorb(ctx) // what has come by now
			if c.complete() {
				break
			}
			c.Logger.Warn("starting HAProxy without all groups read, they have no servers yet", "waiting", c.Snapshot().Waiting)
			return true
		}
	}
	return ctx.Err() == nil
}

// next is when there is something to do, whatever comes in.
func (c *Controller) next() time.Time {
	at := c.sweepAt
	for _, t := range []time.Time{c.beatAt, c.releaseAt, c.retryAt, c.retireAt, c.holdAt, c.enterAt, c.drainAt} {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	if c.reloadCause != "" && c.reloadAt.Before(at) {
		at = c.reloadAt
	}
	if c.change != nil && c.changeAt.Before(at) {
		at = c.changeAt
	}
	return at
}

func (c *Controller) step(ctx context.Context) {
	now := time.Now()
	if !c.sweepAt.After(now) {
		c.sweep(ctx)
		c.sweepAt = time.Now().Add(c.Sweep)
	}
	if !c.beatAt.After(now) {
		c.beat(ctx)
		c.beatAt = time.Now().Add(c.Beat)
	}
	if !c.releaseAt.IsZero() && !c.releaseAt.After(now) {
		c.release(ctx)
	}
	c.absorb(ctx)
	c.retire()
	c.assign(ctx)
	c.apply(ctx)
	if c.change != nil && c.due(&c.changeAt) && ctx.Err() == nil {
		c.convert(ctx)
	}
	if c.reloadCause != "" && c.due(&c.reloadAt) && ctx.Err() == nil {
		// An error is logged, and the reload wanted again.
		_ = c.reload(ctx, c.reloadCause)
		c.publish()
	}
	c.measure()
}

// absorb takes in what was asked and registered since.
func (c *Controller) absorb(ctx context.Context) {
	// Who is released is let go before what has come since is taken in.
	changed := c.hear() && c.protect(ctx)
	mail := c.inbox.take()
	if !mail.empty() {
		c.read(mail)
	}
	if c.protect(ctx) || changed || !mail.empty() {
		c.publish()
	}
}

func (c *Controller) read(mail mail) {
	if c.change != nil {
		c.change.absorb(mail)
	}
	if c.seen.IsZero() {
		c.seen = mail.since
	}
	if mail.listed && c.Discover != nil {
		c.older = mail.found.Recalled
		c.discover(mail.found.Names)
	}
	for _, g := range c.groups {
		// What comes of a group that is gone was read before it went.
		if seen, changed := mail.groups[g.backend.Name]; changed && g.listed {
			g.see(seen, time.Now())
		}
	}
}

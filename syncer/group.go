package syncer

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-zookeeper/zk"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	retryMin = 50 * time.Millisecond
	retryMax = 5 * time.Second
	// retryDenied is long because permissions are granted by hand.
	retryDenied = 10 * time.Second

	// watchLag is how much later than a read a watch may report the same change.
	watchLag = 100 * time.Millisecond

	spreadEach = 2 * time.Millisecond
	// Together with the dialer's longest pause this stays below two seconds.
	spreadMax = 500 * time.Millisecond
)

// spread returns the time over which groups spread their reads after a reconnect.
func spread(groups int64) time.Duration {
	return min(time.Duration(groups)*spreadEach, spreadMax)
}

// jitter returns 50 % to 150 % of d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

// groupFollower follows one path. It outlives links and sessions; one goroutine at a time runs
// it.
type groupFollower struct {
	path string
	// deliver is called with the sorted names of the children whenever they have changed,
	// and the earliest time at which they may have.
	deliver func(names []string, since time.Time)
	// unchanged is called instead of deliver if the list was read and is the same.
	unchanged   func()
	missingPath missingPath
	owners      *owners // nil: the children are not instances
	note        *note
	notes       *notes
	status      *status
	reads       *prometheus.CounterVec // by result
	delays      prometheus.Observer    // see [Metrics]
	log         *slog.Logger
	safety      time.Duration
	followed    *atomic.Int64 // number of groups being followed, including this one

	watch     <-chan zk.Event // nil: the list must be read again
	delivered []string        // the list delivered last
	known     bool            // a list was delivered
	verified  time.Time       // when the last successful read was sent
	since     time.Time       // when the delivered list was last known to be current; zero: now
	fired     time.Time       // when an event arrived whose list was not read yet; zero: none has
	missing   bool
	trouble   string // the result logged since the last successful read
	retry     *backoff.ExponentialBackOff
}

// run follows the path over one session until ctx is done.
func (g *groupFollower) run(ctx context.Context, t tree, ls *links) {
	g.followed.Add(1)
	defer g.followed.Add(-1)
	defer g.status.allow(g.path)
	g.notes.add(g.note)
	defer g.notes.remove(g.note)
	if g.owners != nil {
		g.owners.setPaused(false)
		defer g.owners.setPaused(true)
	}
	g.watch = nil
	ls.each(ctx, func(l *link) { g.follow(ctx, t, l) })
}

// follow follows the path until the link is lost, the session has expired, or ctx is
// done.
//
// A watch that survived a reconnect was set again by the library and fires for changes
// made meanwhile: nothing needs to be read.
func (g *groupFollower) follow(ctx context.Context, t tree, l *link) {
	defer g.lose(l)
	var delay time.Duration
	switch {
	case g.watch != nil:
		delay = jitter(g.safety)
	case g.known:
		delay = rand.N(spread(g.followed.Load()) + 1)
	}
	g.retry.Reset()
	due := time.NewTimer(delay)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.down:
			return
		case event := <-g.watch:
			g.watch = nil
			if event.Err != nil {
				return
			}
			g.noteFired()
		case <-due.C:
		}
		// A request made while disconnected would only wait in the library.
		if ctx.Err() != nil || l.over() {
			return
		}
		if g.watch != nil {
			wait, changed := g.check(ctx, t)
			if !changed {
				due.Reset(wait)
				continue
			}
		}
		due.Reset(g.read(ctx, t))
	}
}

// read reads the list, sets the watch and delivers changes. It returns when to read
// again.
func (g *groupFollower) read(ctx context.Context, t tree) time.Duration {
	asked := time.Now()
	l, err := watchList(t, g.path)
	if err != nil {
		g.watch = nil
		return g.fail(err)
	}
	g.succeed(l)
	g.watch = l.watch
	// The siblings of a missing path are recorded before its first list is delivered; a
	// list that has become empty must not wait for that.
	first := l.missing && !g.known
	var wait time.Duration
	if first {
		wait = g.handleMissing(t)
	}
	if ctx.Err() == nil {
		g.deliverChanged(l.names)
		g.verified, g.since = asked, time.Time{}
		if !g.fired.IsZero() {
			g.delays.Observe(time.Since(g.fired).Seconds())
			g.fired = time.Time{}
		}
	}
	if first {
		return wait
	}
	return g.later(t, l)
}

// later returns when to check again, after a missing path was handled.
func (g *groupFollower) later(t tree, l listing) time.Duration {
	if l.missing {
		return g.handleMissing(t)
	}
	g.pathExists()
	return jitter(g.safety)
}

// check reads the list without a watch and reports whether it must be read again with
// one. Otherwise it returns when to check again.
func (g *groupFollower) check(ctx context.Context, t tree) (wait time.Duration, changed bool) {
	asked := time.Now()
	l, err := peek(t, g.path)
	if err != nil {
		return g.fail(err), false
	}
	g.succeed(l)
	slices.Sort(l.names)
	if g.known && slices.Equal(g.delivered, l.names) {
		g.verified = asked
		return g.later(t, l), false
	}
	late := time.NewTimer(watchLag)
	defer late.Stop()
	select {
	case <-g.watch:
		g.noteFired()
	case <-ctx.Done():
	case <-late.C:
		g.markStale(g.verified)
		g.log.Warn("watch missed a change, reading again", "path", g.path)
	}
	return 0, true
}

func (g *groupFollower) deliverChanged(names []string) {
	slices.Sort(names)
	if g.known && slices.Equal(g.delivered, names) {
		g.unchanged()
		return
	}
	g.delivered, g.known = names, true
	g.deliver(names, g.since)
}

// lose records that changes after the end of the link go unnoticed.
func (g *groupFollower) lose(l *link) {
	heard := time.Now() // the link may still be up: only this group is no longer followed
	if l.over() {
		heard = l.heard
	}
	g.markStale(heard)
	g.fired = time.Time{} // what passes until the next link is no delay of this event
}

// noteFired records that the event of the watch has arrived.
func (g *groupFollower) noteFired() {
	g.fired = time.Now()
	g.markStale(g.fired)
}

// markStale records until when the delivered list is known to be current.
func (g *groupFollower) markStale(at time.Time) {
	if g.since.IsZero() || at.Before(g.since) {
		g.since = at
	}
}

// succeed records a successful read.
func (g *groupFollower) succeed(l listing) {
	g.retry.Reset()
	g.status.allow(g.path)
	if g.trouble != "" {
		g.trouble = ""
		g.log.Info("path can be read again", "path", g.path)
	}
	result := resultOK
	if l.missing {
		result = resultMissing
	}
	g.reads.WithLabelValues(result).Inc()
	if l.missing && !g.missing {
		g.log.Info("path does not exist, waiting for it", "path", g.path)
	}
	g.missing = l.missing
}

// fail records a failed read and returns when to try again. The delivered list stays.
func (g *groupFollower) fail(err error) time.Duration {
	if errors.Is(err, zk.ErrNoAuth) {
		g.reads.WithLabelValues(resultDenied).Inc()
		g.status.deny(g.path)
		g.warnOnce(resultDenied, err, "hint", g.status.remedy)
		return jitter(retryDenied)
	}
	g.reads.WithLabelValues(resultError).Inc()
	if !isLoss(err) {
		g.warnOnce(resultError, err)
	}
	if errors.Is(err, errListTooLong) {
		return jitter(retryDenied) // needs an operator, and each attempt costs megabytes
	}
	return g.retry.NextBackOff()
}

func (g *groupFollower) warnOnce(result string, err error, more ...any) {
	if g.trouble != result {
		g.trouble = result
		g.log.With(more...).Warn("cannot read path, the instances known stay", "path", g.path, "error", err)
	}
}

// isLoss reports whether an error is a lost connection, which the session logs.
func isLoss(err error) bool {
	return errors.Is(err, zk.ErrConnectionClosed) || errors.Is(err, zk.ErrSessionExpired) ||
		errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrClosing)
}

package syncer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-zookeeper/zk"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/streak"
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

// safetyBeats is the number of beats in the shortest mean interval between two safety reads.
// Groups are read at beats: the answers to several requests arrive together, which takes
// a fraction of the CPU time of as many single requests.
const safetyBeats = 12

const (
	// Groups are read without an event no more often than once in safetyEach together, which
	// takes a tenth of a percent of a core, but each one once in safetyMost.
	safetyEach = 250 * time.Millisecond
	safetyMost = 5 * time.Minute
)

// nextSafety returns when to read the list without a watch event: after 50 % to 150 % of
// the interval.
func (g *groupFollower) nextSafety() time.Duration {
	interval := max(g.safety, min(time.Duration(g.followed.Load())*safetyEach, safetyMost))
	beat := max(g.safety/safetyBeats, 1)
	since := time.Since(g.begun)
	return (since + jitter(interval)).Truncate(beat) - since
}

// groupFollower follows one path. It outlives links and sessions; one goroutine at a time runs
// it.
type groupFollower struct {
	path string
	// deliver is called with the sorted names of the children whenever they have changed,
	// and the earliest time at which they may have.
	deliver func(ctx context.Context, names []string, since time.Time)
	// unchanged is called instead of deliver if the list was read and is the same.
	unchanged func()
	// ended is called when the path will not be followed any more.
	ended       func()
	missingPath missingPath
	owners      *owners   // nil: the children are not instances
	payloads    *payloads // nil like owners
	data        *dataEvents
	// outdated receives a token when the address of a host name has changed, or a weight.
	outdated chan struct{}
	note     *intake.Note
	notes    *intake.Notes
	status   *status
	reads    *prometheus.CounterVec // by result
	delays   prometheus.Observer    // see [Metrics]
	log      *slog.Logger
	safety   time.Duration
	begun    time.Time     // of the syncer
	followed *atomic.Int64 // number of groups being followed, including this one

	watch     <-chan zk.Event // nil: the list must be read again
	delivered []string        // the list delivered last
	known     bool            // a list was delivered
	verified  time.Time       // when the last successful read was sent
	since     time.Time       // when the delivered list was last known to be current; zero: now
	fired     time.Time       // when an event arrived whose list was not read yet; zero: none has
	missing   bool
	trouble   streak.Streak
	retry     *backoff.ExponentialBackOff
}

// run follows the path over one session until ctx is done.
func (g *groupFollower) run(ctx context.Context, t tree, ls *links) {
	g.begin()
	defer g.end()
	ls.each(ctx, func(l *link) { g.follow(ctx, t, l) })
}

// begin is a function of its own, as is end: of a thousand goroutines that wait in follow,
// none keeps what only these need on its stack, which then has 4 kB instead of 8.
func (g *groupFollower) begin() {
	g.followed.Add(1)
	g.notes.Add(g.note)
	if g.owners != nil {
		g.owners.setPaused(false)
	}
	if g.payloads != nil && g.payloads.decoder.Reads() {
		g.data.add(g.payloads)
	}
	g.watch = nil
}

func (g *groupFollower) end() {
	if g.payloads != nil && g.payloads.decoder.Reads() {
		g.data.remove(g.payloads)
	}
	if g.owners != nil {
		g.owners.setPaused(true)
	}
	g.notes.Remove(g.note)
	g.status.allow(g.path)
	g.followed.Add(-1)
}

// follow follows the path until the link is lost, the session has expired, or ctx is
// done.
//
// A watch that survived a reconnect was set again by the library and fires for changes
// made meanwhile: nothing needs to be read.
func (g *groupFollower) follow(ctx context.Context, t tree, l *link) {
	defer g.lose(l)
	if g.payloads != nil {
		g.payloads.follow(l)
	}
	g.retry.Reset()
	due := time.NewTimer(g.firstDelay())
	defer due.Stop()
	for {
		var fired <-chan struct{}
		if g.payloads != nil && g.watch != nil { // otherwise the list and all data are about to be read
			fired = g.payloads.wake
		}
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
		case <-fired:
			if wait := g.refresh(ctx, t); wait > 0 {
				due.Reset(wait)
			}
			continue
		case <-g.outdated:
			if g.known {
				g.deliver(ctx, g.delivered, time.Time{})
			}
			continue
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

// firstDelay returns when to read the list on another link.
func (g *groupFollower) firstDelay() time.Duration {
	switch {
	case g.watch != nil:
		return g.nextSafety()
	case g.known:
		return rand.N(spread(g.followed.Load()) + 1)
	}
	return 0
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
	slices.Sort(l.names)
	if g.payloads != nil {
		if err := g.payloads.update(ctx, t, l.names); err != nil {
			g.watch = nil
			return g.fail(fmt.Errorf("read the data of children of %s: %w", g.path, err))
		}
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
		g.deliverChanged(ctx, l.names)
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
	return g.nextSafety()
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
		return g.verifyData(ctx, t, g.later(t, l)), false
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

// verifyData reads the data of the children again, and returns when to check again: at
// best after wait.
func (g *groupFollower) verifyData(ctx context.Context, t tree, wait time.Duration) time.Duration {
	if g.payloads == nil {
		return wait
	}
	missed, err := g.payloads.verify(ctx, t)
	if err != nil {
		return g.fail(fmt.Errorf("read the data of children of %s: %w", g.path, err))
	}
	if missed {
		g.log.Debug("data changed without an event, reading it again", "path", g.path)
	}
	return wait
}

// refresh reads the data that has changed, and delivers what follows. It returns when to
// read the list again, 0 if that need not change.
func (g *groupFollower) refresh(ctx context.Context, t tree) time.Duration {
	if err := g.payloads.refresh(ctx, t, g.delivered); err != nil {
		return g.fail(fmt.Errorf("read the data of children of %s: %w", g.path, err))
	}
	if g.payloads.changed && ctx.Err() == nil {
		g.payloads.changed = false
		g.deliver(ctx, g.delivered, time.Time{})
	}
	return 0
}

// deliverChanged delivers sorted names, if they or their data have changed.
func (g *groupFollower) deliverChanged(ctx context.Context, names []string) {
	changed := g.payloads != nil && g.payloads.changed
	if g.payloads != nil {
		g.payloads.changed = false
	}
	if g.known && !changed && slices.Equal(g.delivered, names) {
		g.unchanged()
		return
	}
	g.delivered, g.known = names, true
	g.deliver(ctx, names, g.since)
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
	if attrs, ended := g.trouble.Over(time.Now()); ended {
		g.log.With(attrs...).Info("path can be read again", "path", g.path)
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
		g.warn(err, "hint", g.status.remedy)
		return jitter(retryDenied)
	}
	g.reads.WithLabelValues(resultError).Inc()
	if !isLoss(err) {
		g.warn(err)
	}
	if errors.Is(err, errListTooLong) {
		return jitter(retryDenied) // needs an operator, and each attempt costs megabytes
	}
	return g.retry.NextBackOff()
}

func (g *groupFollower) warn(err error, more ...any) {
	if attrs, due := g.trouble.Failed(time.Now(), err.Error()); due {
		g.log.With(more...).With(attrs...).Warn("cannot read path, the instances known stay", "path", g.path, "error", err)
	}
}

// isLoss reports whether an error is a lost connection, which the session logs.
func isLoss(err error) bool {
	return errors.Is(err, zk.ErrConnectionClosed) || errors.Is(err, zk.ErrSessionExpired) ||
		errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrClosing)
}

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
	// retryDenied is slow: permissions are granted by hand.
	retryDenied = 10 * time.Second

	// moment is how long a watch may be behind a read that shows its change.
	moment = 100 * time.Millisecond

	spreadEach = 2 * time.Millisecond
	// With the dialer's longest pause it stays below two seconds.
	spreadMax = 500 * time.Millisecond
)

// spread is the time over which that many groups read again after a reconnect.
func spread(groups int64) time.Duration {
	return min(time.Duration(groups)*spreadEach, spreadMax)
}

// jitter returns half to one and a half of d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

// group follows one path. It outlives links and sessions; one goroutine at a
// time runs it.
type group struct {
	path string
	// deliver takes the children's names, sorted, whenever they are others, and since
	// when they may be.
	deliver func(names []string, since time.Time)
	contact *contact
	reads   *prometheus.CounterVec // by result
	log     *slog.Logger
	safety  time.Duration
	crowd   *atomic.Int64 // how many groups are followed, this one included

	watch   <-chan zk.Event // nil: the list is to be read again
	handed  []string        // what was delivered last
	known   bool            // something was delivered
	sure    time.Time       // when ZooKeeper was last asked for what it answered
	since   time.Time       // when what was handed was last known to be right; zero: it is
	missing bool
	trouble string // the result that was logged since the last good read
	retry   *backoff.ExponentialBackOff
}

// run follows the path over one session until ctx is done.
func (g *group) run(ctx context.Context, t tree, ls *links) {
	g.crowd.Add(1)
	defer g.crowd.Add(-1)
	defer g.contact.allow(g.path)
	g.watch = nil
	for {
		l := ls.await(ctx)
		if l == nil {
			return
		}
		g.follow(ctx, t, l)
	}
}

// follow follows the path until the link is lost, the session has expired, or
// ctx is done.
//
// A watch that survived a reconnect was set again by the library and fires for
// what has happened meanwhile: there is nothing to read.
func (g *group) follow(ctx context.Context, t tree, l *link) {
	defer g.lose(l)
	var delay time.Duration
	switch {
	case g.watch != nil:
		delay = jitter(g.safety)
	case g.known:
		delay = rand.N(spread(g.crowd.Load()) + 1)
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
			g.doubt(time.Now())
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

// read reads the list, sets the watch and hands over what is new. It returns
// when to look again.
func (g *group) read(ctx context.Context, t tree) time.Duration {
	asked := time.Now()
	l, err := watchList(t, g.path)
	if err != nil {
		g.watch = nil
		return g.fail(err)
	}
	g.succeed(l)
	g.watch = l.watch
	if ctx.Err() == nil {
		g.hand(l.names)
		g.sure, g.since = asked, time.Time{}
	}
	return jitter(g.safety)
}

// check reads the list without a watch and tells whether it is to be read again
// with one. Otherwise it returns when to look again.
func (g *group) check(ctx context.Context, t tree) (wait time.Duration, changed bool) {
	asked := time.Now()
	l, err := peek(t, g.path)
	if err != nil {
		return g.fail(err), false
	}
	g.succeed(l)
	slices.Sort(l.names)
	if g.known && slices.Equal(g.handed, l.names) {
		g.sure = asked
		return jitter(g.safety), false
	}
	late := time.NewTimer(moment)
	defer late.Stop()
	select {
	case <-g.watch:
		g.doubt(time.Now())
	case <-ctx.Done():
	case <-late.C:
		g.doubt(g.sure)
		g.log.Warn("a change was missed by the watch, reading again", "path", g.path)
	}
	return 0, true
}

func (g *group) hand(names []string) {
	slices.Sort(names)
	if g.known && slices.Equal(g.handed, names) {
		return
	}
	g.handed, g.known = names, true
	g.deliver(names, g.since)
}

// lose notes that what happens after the link is not heard.
func (g *group) lose(l *link) {
	heard := time.Now() // it may serve on: this group alone is no longer followed
	if l.over() {
		heard = l.heard
	}
	g.doubt(heard)
}

// doubt notes until when what was handed is known to be right.
func (g *group) doubt(at time.Time) {
	if g.since.IsZero() || at.Before(g.since) {
		g.since = at
	}
}

// succeed notes a read that worked.
func (g *group) succeed(l listing) {
	g.retry.Reset()
	g.contact.allow(g.path)
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

// fail notes a read that did not work and returns when to try again. What was
// handed over stays.
func (g *group) fail(err error) time.Duration {
	if errors.Is(err, zk.ErrNoAuth) {
		g.reads.WithLabelValues(resultDenied).Inc()
		g.contact.deny(g.path)
		g.complainOnce(resultDenied, err, "hint", g.contact.remedy)
		return jitter(retryDenied)
	}
	g.reads.WithLabelValues(resultError).Inc()
	if !isLoss(err) {
		g.complainOnce(resultError, err)
	}
	if errors.Is(err, errTooLong) {
		return jitter(retryDenied) // as that, it takes a hand, and this one costs megabytes
	}
	return g.retry.NextBackOff()
}

func (g *group) complainOnce(result string, err error, more ...any) {
	if g.trouble != result {
		g.trouble = result
		g.log.With(more...).Warn("cannot read path, the instances known stay", "path", g.path, "error", err)
	}
}

// isLoss tells the errors of a lost connection, which the session logs.
func isLoss(err error) bool {
	return errors.Is(err, zk.ErrConnectionClosed) || errors.Is(err, zk.ErrSessionExpired) ||
		errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrClosing)
}

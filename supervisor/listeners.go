package supervisor

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/haproxy-zk/haproxy-zk/retry"
	"github.com/haproxy-zk/haproxy-zk/streak"
)

// Listeners are copies of the listening sockets of a generation. While they are open the
// kernel queues new connections, even if no process of HAProxy is alive.
type Listeners interface {
	Count() int
	// Give hands them over to an HAProxy that was started with `-x` and has connected, and
	// returns within seconds.
	Give(conn *net.UnixConn) error
	Close()
}

const (
	// takeWithin bounds how long the listening sockets of a new generation are awaited:
	// until the replaced one has let go of the stats sockets.
	takeWithin = time.Second
	// A generation whose sockets could not be taken is asked again after a pause between
	// these.
	takeAgainFirst, takeAgainLongest = 100 * time.Millisecond, time.Minute
)

// errHoldOver means that a launch took longer than the hold.
var errHoldOver = errors.New("listener_hold is over")

// listeners keeps the listening sockets of the serving generation for the launch of the
// next one, so that neither depends on a process that lives and answers:
//
//	taken      from a generation once it serves
//	given      to every launcher, which connects to an [offer]
//	given up   when no process has served for the hold, when the next generation does not
//	           take them, and when a stop begins
//
// give and expire may be called from any goroutine, everything else belongs to Run.
type listeners struct {
	mu     sync.Mutex
	kept   Listeners // nil if there are none
	expiry *time.Timer
	count  func(kept int) // reports how many are kept

	// takeAt is when the sockets of the serving generation are to be taken; zero is never.
	takeAt time.Time
	// failed is true if the last attempt on this generation failed.
	failed bool
	// failing lasts over generations.
	failing streak.Streak
	pauses  *backoff.ExponentialBackOff
}

func newListeners(count func(kept int)) *listeners {
	return &listeners{count: count, pauses: retry.Backoff(takeAgainFirst, takeAgainLongest)}
}

// keep keeps other sockets than before; nil is none.
func (l *listeners) keep(other Listeners) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.exchange(other)
}

func (l *listeners) exchange(other Listeners) (before int) {
	if l.kept != nil {
		before = l.kept.Count()
		l.kept.Close()
	}
	l.kept = other
	now := 0
	if other != nil {
		now = other.Count()
	}
	l.count(now)
	return before
}

// any reports whether sockets are kept.
func (l *listeners) any() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept != nil
}

// give hands the sockets over to a launcher. They are not closed meanwhile.
func (l *listeners) give(conn *net.UnixConn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept == nil {
		return errHoldOver
	}
	return l.kept.Give(conn)
}

// expire gives the sockets up after a while without a serving process, and calls expired
// then if there were any.
func (l *listeners) expire(after time.Duration, expired func(sockets int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.expiry != nil || l.kept == nil {
		return
	}
	// Not a task of Run, which may be waiting for a launch.
	l.expiry = time.AfterFunc(after, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.expiry == nil {
			return // a generation serves again
		}
		l.expiry = nil
		if sockets := l.exchange(nil); sockets > 0 {
			expired(sockets)
		}
	})
}

// serving ends the hold: a generation serves, whose sockets are to be taken.
func (l *listeners) serving() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopExpiry()
	l.takeAt, l.failed = time.Now(), false
	l.pauses.Reset()
}

// close gives the sockets up for good.
func (l *listeners) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopExpiry()
	l.takeAt = time.Time{}
	l.exchange(nil)
}

func (l *listeners) stopExpiry() {
	if l.expiry != nil {
		l.expiry.Stop()
		l.expiry = nil
	}
}

// renewListeners takes the sockets of the serving generation if that is due. If it fails
// twice, those of the generation before are given up: a reload may have removed some.
func (h *HAProxy) renewListeners(ctx context.Context) {
	l := h.listeners
	if l.takeAt.IsZero() || time.Now().Before(l.takeAt) {
		return
	}
	l.takeAt = time.Time{}
	if h.ListenerHold == 0 || h.current == nil || allEnded(h.current.workers) {
		return
	}
	err := h.takeFrom(ctx, h.current)
	switch {
	case err == nil:
		if attrs, ended := l.failing.Over(time.Now()); ended {
			h.Logger.With(attrs...).Info("the listening sockets are kept again")
		}
		l.failed = false
		return
	case ctx.Err() != nil:
		return
	case slices.ContainsFunc(h.current.workers, (*worker).ended):
		l.takeAt = time.Now().Add(l.pauses.NextBackOff()) // its exit has not been handled yet
		return
	case l.failed:
		l.keep(nil)
	}
	if attrs, due := l.failing.Failed(time.Now(), err.Error()); due {
		h.Logger.With(attrs...).Warn("cannot keep HAProxy's listening sockets, a crash of HAProxy will refuse connections; will retry", "error", err)
	}
	l.failed = true
	l.takeAt = time.Now().Add(l.pauses.NextBackOff())
}

// takeFrom keeps the sockets of a generation instead of those kept before.
func (h *HAProxy) takeFrom(ctx context.Context, g *liveGeneration) error {
	ctx, cancel := context.WithTimeout(ctx, takeWithin)
	defer cancel()
	// The stats socket of a dead worker, which is one of those kept, accepts and hangs.
	ctx, stop := whileAlive(ctx, g.workers)
	defer stop()
	taken, err := h.TakeListeners(ctx, pidsOf(g.workers))
	if err == nil {
		h.listeners.keep(taken)
	}
	return err
}

// holdListeners starts the hold if the serving generation has no process left.
func (h *HAProxy) holdListeners() {
	if h.current != nil && allEnded(h.current.workers) {
		h.beginHold(h.ListenerHold)
	}
}

func (h *HAProxy) beginHold(hold time.Duration) {
	h.listeners.expire(hold, func(sockets int) {
		h.Logger.Error("no HAProxy process serves, closing the listening sockets: new connections are refused", "listener_hold", hold, "sockets", sockets)
	})
}

// holdMeanwhile starts the hold if the processes of the serving generation, which may be
// nil, end before stop is called: Run receives no exits during a launch, which may hang.
func (h *HAProxy) holdMeanwhile(g *liveGeneration) (stop func()) {
	if g == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	hold, workers := h.ListenerHold, slices.Clone(g.workers)
	var watching sync.WaitGroup
	watching.Go(func() {
		for _, w := range workers {
			select {
			case <-w.Done():
			case <-ctx.Done():
				return
			}
		}
		h.beginHold(hold)
	})
	return func() {
		cancel()
		watching.Wait()
	}
}

package syncer

import (
	"fmt"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/streak"
)

// absence reports when ZooKeeper is lost and back: once each, however many attempts and
// sessions fail in between. The first connection is reported only if it takes long. It
// also decides which of the failures are logged.
type absence struct {
	report func(registry.Event)
	since  time.Time // zero: not absent
	// failing is the streak of failures, before is their number before it began.
	failing streak.Streak
	before  int
}

// failed records that ZooKeeper is absent, after so many losses; see [streak.Streak].
func (a *absence) failed(reason string, losses int) (attrs []any, due bool) {
	if !a.failing.Failing() {
		a.before = losses - 1
	}
	return a.failing.FailedTimes(time.Now(), reason, losses-a.before)
}

func (a *absence) begin(reason string) {
	if a.since.IsZero() {
		a.since = time.Now()
		a.report(registry.Event{Kind: registry.EventZooKeeperLost, Detail: reason})
	}
}

func (a *absence) over(server string) {
	if !a.since.IsZero() {
		a.report(registry.Event{Kind: registry.EventZooKeeperBack, Detail: fmt.Sprintf("connected to %s after %v", server, time.Since(a.since).Round(time.Millisecond))})
		a.since = time.Time{}
	}
}

package syncer

import (
	"fmt"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// absence reports when ZooKeeper is lost and back: once each, however many attempts and
// sessions fail in between. The first connection is reported only if it takes long.
type absence struct {
	report func(registry.Event)
	since  time.Time // zero: not absent
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

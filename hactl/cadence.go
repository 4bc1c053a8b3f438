package hactl

import (
	"slices"
	"time"
)

const (
	// Resyncs use at most one of so many parts of a core, counting our time and HAProxy's.
	resyncShare = 400
	// The interval never exceeds this, whatever a resync costs.
	longestResync = 30 * time.Second
	// On a busy machine the wall time of a resync is not its cost: that is at most this much
	// for a worker, and for each of its servers.
	mostPerWorker = time.Millisecond
	mostPerServer = 10 * time.Microsecond
)

// cadence records the cost of the last resyncs. Wall time may overstate the cost, so the
// smallest of several is used.
type cadence [3]time.Duration

// next records the cost of a resync and returns the delay before the next one. The
// delay is at least shortest, and exactly that until enough resyncs were measured.
func (c *cadence) next(cost, shortest time.Duration) time.Duration {
	copy(c[:], c[1:])
	c[len(c)-1] = cost
	return max(shortest, min(resyncShare*slices.Min(c[:]), longestResync))
}

// mostOfResync returns what a resync costs at most.
func (f *fleet) mostOfResync() (most time.Duration) {
	for _, w := range f.workers {
		most += mostPerWorker
		for _, servers := range w.have {
			most += time.Duration(len(servers)) * mostPerServer
		}
	}
	return most
}

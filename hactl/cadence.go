package hactl

import (
	"slices"
	"time"
)

const (
	// Resyncs use at most this fraction of one core, counting our time and HAProxy's.
	resyncShare = 100
	// The interval never exceeds this, whatever a resync costs.
	longestResync = 30 * time.Second
)

// cadence records the cost of the last resyncs. Wall time overstates the cost on a busy
// machine, so the smallest of several is used.
type cadence [3]time.Duration

// next records the cost of a resync and returns the delay before the next one. The
// delay is at least shortest, and exactly that until enough resyncs were measured.
func (c *cadence) next(cost, shortest time.Duration) time.Duration {
	copy(c[:], c[1:])
	c[len(c)-1] = cost
	return max(shortest, min(resyncShare*slices.Min(c[:]), longestResync))
}

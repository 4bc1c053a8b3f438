package rig

import (
	"context"
	"fmt"
	"time"
)

// A check asks a daemon and its HAProxy, which costs more than waiting.
const (
	minPoll  = 5 * time.Millisecond
	maxPoll  = 25 * time.Millisecond
	pollPart = 40 // the part of the time waited so far
)

// Eventually calls check until it returns nil, at least once: every 5 ms at first, and less
// often later, so that it returns at most a fortieth or 5 ms late. When timeout has passed
// or ctx ends first, it returns check's last error, wrapped.
func Eventually(ctx context.Context, timeout time.Duration, check func() error) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	next := time.NewTimer(minPoll)
	defer next.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		next.Reset(min(max(time.Since(began)/pollPart, minPoll), maxPoll))
		select {
		case <-next.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", time.Since(began).Round(time.Millisecond), err)
		}
	}
}

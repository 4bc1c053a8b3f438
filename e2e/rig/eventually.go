package rig

import (
	"context"
	"fmt"
	"time"
)

const pollInterval = 5 * time.Millisecond

// Eventually calls check every 5 ms until it returns nil, at least once. When timeout
// has passed or ctx ends first, it returns check's last error, wrapped.
func Eventually(ctx context.Context, timeout time.Duration, check func() error) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", time.Since(began).Round(time.Millisecond), err)
		}
	}
}

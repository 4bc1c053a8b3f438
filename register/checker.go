package register

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/haproxy-zk/haproxy-zk/retry"
)

// firstPause is how soon the first check is repeated. The pauses then double up to the
// interval, so that an application is found soon after it has started.
const firstPause = 100 * time.Millisecond

// checker probes an application again and again.
type checker struct {
	probe             Probe
	interval, timeout time.Duration
}

// run sends the result of each probe until ctx is done. From the first success on, probes
// are an interval apart, with ±20 % jitter.
func (c checker) run(ctx context.Context, results chan<- error) {
	starting := retry.Backoff(min(firstPause, c.interval), c.interval)
	started := false
	for {
		err := c.once(ctx)
		if ctx.Err() != nil {
			return
		}
		select {
		case results <- err:
		case <-ctx.Done():
			return
		}
		started = started || err == nil
		pause := c.interval*4/5 + rand.N(c.interval*2/5)
		if !started {
			pause = starting.NextBackOff()
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (c checker) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.probe(ctx)
}

package retry

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Backoff returns pauses that double from first on. Each has ±50 % jitter, and none is
// longer than longest. It must not be used by two goroutines at once.
func Backoff(first, longest time.Duration) *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = first, longest*2/3, 2
	b.Reset()
	return b
}

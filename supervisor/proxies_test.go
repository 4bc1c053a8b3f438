package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var errBroken = errors.New("broken")

// servingUntilStopped is a proxy that starts, serves until it is stopped, and takes two
// seconds for that.
func servingUntilStopped(stopped *bool) func(context.Context, func()) error {
	return func(ctx context.Context, started func()) error {
		started()
		<-ctx.Done()
		<-time.After(2 * time.Second)
		*stopped = true
		return nil
	}
}

// run begins Run of a set, in a bubble.
func run(ctx context.Context, set ...Proxy) <-chan error {
	over := make(chan error, 1)
	go func() { over <- NewProxies(slog.New(slog.DiscardHandler), set).Run(ctx) }()
	return over
}

func TestProxiesStopTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A cause, such as the signal's, is no failure of the set.
		ctx, cancel := context.WithCancelCause(t.Context())
		var first, second bool
		over := run(
			ctx,
			Proxy{Name: "first", Run: servingUntilStopped(&first)},
			Proxy{Name: "second", Run: servingUntilStopped(&second)},
			Proxy{Name: "pausing", Run: func(_ context.Context, started func()) error { started(); return errBroken }},
			Proxy{Name: "unclean", Run: func(ctx context.Context, _ func()) error { <-ctx.Done(); return errBroken }},
		)
		<-time.After(time.Hour)
		synctest.Wait()
		if len(over) > 0 {
			t.Fatal(<-over)
		}
		cancel(errors.New("terminated"))
		if err := <-over; err != nil {
			t.Error(err)
		}
		if !first || !second {
			t.Error("Run did not wait for the proxies")
		}
	})
}

func TestFirstStartThatFailsEndsTheSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stopped bool
		over := run(
			t.Context(),
			Proxy{Name: "works", Run: servingUntilStopped(&stopped)},
			Proxy{Name: "broken", Run: func(context.Context, func()) error { <-time.After(time.Second); return errBroken }},
			Proxy{Name: "slow", Run: func(ctx context.Context, _ func()) error { <-ctx.Done(); return ctx.Err() }},
		)
		if err := <-over; !errors.Is(err, errBroken) {
			t.Errorf("Run: %v", err)
		}
		if !stopped {
			t.Error("Run did not wait for the others")
		}
	})
}

func TestProxyThatEndsIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var pauses []time.Duration
		var ended time.Time
		failing := func(_ context.Context, started func()) error {
			if !ended.IsZero() {
				pauses = append(pauses, time.Since(ended))
			}
			defer func() { ended = time.Now() }()
			switch len(pauses) {
			case 0:
				started()
				return nil // an end without an error is an end as well
			case 10:
				started()
				<-time.After(settledAfter + time.Second)
			}
			return errBroken // in the beginning it does not even start
		}
		others, stopped := 0, false
		over := run(
			ctx,
			Proxy{Name: "failing", Run: failing},
			Proxy{Name: "works", Run: func(ctx context.Context, started func()) error {
				others++
				return servingUntilStopped(&stopped)(ctx, started)
			}},
		)
		<-time.After(time.Hour)
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
		if others != 1 {
			t.Errorf("the other one was started %d times", others)
		}
		if len(pauses) < 20 {
			t.Fatalf("it was started again after %s", pauses)
		}
		// Half of each pause is chance.
		if first := pauses[0]; first < 250*time.Millisecond || first > 750*time.Millisecond {
			t.Errorf("the first pause was %s", first)
		}
		if later := pauses[9]; later < 15*time.Second {
			t.Errorf("the tenth pause was %s", later)
		}
		if anew := pauses[10]; anew > 750*time.Millisecond {
			t.Errorf("the pause after it had served was %s", anew)
		}
		if longest := slices.Max(pauses); longest > 45*time.Second {
			t.Errorf("the longest pause was %s", longest)
		}
	})
}

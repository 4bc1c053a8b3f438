package register

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs a checker in a bubble and returns what it found at which time.
func inBubble(t *testing.T, c checker, lasts time.Duration) (at []time.Duration, results []error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), lasts)
		defer cancel()
		found := make(chan error)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.run(ctx, found)
		}()
		begun := time.Now()
		for {
			select {
			case err := <-found:
				at, results = append(at, time.Since(begun)), append(results, err)
			case <-ended:
				return
			}
		}
	})
	return at, results
}

func TestChecksAreAnIntervalApart(t *testing.T) {
	const interval = 2 * time.Second
	at, _ := inBubble(t, checker{probe: func(context.Context) error { return nil }, interval: interval, timeout: time.Second}, time.Minute)
	if len(at) < 25 || len(at) > 38 || at[0] != 0 {
		t.Fatalf("%d checks in a minute, the first after %v", len(at), at[0])
	}
	pauses := make(map[time.Duration]bool)
	for i := range at[1:] {
		pause := at[i+1] - at[i]
		if pause < interval*4/5 || pause > interval*6/5 {
			t.Errorf("%v between two checks", pause)
		}
		pauses[pause] = true
	}
	if len(pauses) < 5 {
		t.Errorf("the pauses have no jitter: %v", pauses)
	}
}

// An application that starts quickly must not wait for a whole interval, and one that
// never starts is not asked all the time.
func TestChecksOfAStartingApplicationBecomeRarer(t *testing.T) {
	const interval = 30 * time.Second
	at, results := inBubble(t, checker{probe: func(context.Context) error { return errors.New("refused") }, interval: interval, timeout: time.Second}, 10*time.Minute)
	if at[1] > 200*time.Millisecond || at[3] > 2*time.Second {
		t.Errorf("the first checks come at %v", at[:4])
	}
	if len(at) > 60 || results[0] == nil {
		t.Errorf("%d checks in ten minutes, the first one finds %v", len(at), results[0])
	}
}

func TestCheckThatHangsFails(t *testing.T) {
	at, results := inBubble(t, checker{interval: 2 * time.Second, timeout: time.Second, probe: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}, time.Minute)
	if at[0] != time.Second || !errors.Is(results[0], context.DeadlineExceeded) {
		t.Errorf("the first check ends after %v: %v", at[0], results[0])
	}
}

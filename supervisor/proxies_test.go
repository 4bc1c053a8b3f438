package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errBroken = errors.New("broken")

// servingUntilStopped returns a proxy that serves until it is stopped, which takes two
// seconds.
func servingUntilStopped(stopped *bool) func(context.Context, func()) error {
	return func(ctx context.Context, started func()) error {
		started()
		<-ctx.Done()
		<-time.After(2 * time.Second)
		*stopped = true
		return nil
	}
}

// run starts Run of a set in a synctest bubble.
func run(ctx context.Context, set ...Proxy) <-chan error {
	over := make(chan error, 1)
	go func() { over <- NewProxies(slog.New(slog.DiscardHandler), set).Run(ctx) }()
	return over
}

func TestProxiesStopTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A cause such as a signal is not a failure of the set.
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

func TestFailedFirstStartEndsTheSet(t *testing.T) {
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

func TestProxyThatEndsIsRestarted(t *testing.T) {
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
				return nil // ending without an error counts as an end
			case 10:
				started()
				<-time.After(settledAfter + time.Second)
			}
			return errBroken // at first it does not even start
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
		// ±50 % jitter.
		if first := pauses[0]; first < 250*time.Millisecond || first > 750*time.Millisecond {
			t.Errorf("the first pause was %s", first)
		}
		if later := pauses[9]; later < 10*time.Second {
			t.Errorf("the tenth pause was %s", later)
		}
		if anew := pauses[10]; anew > 750*time.Millisecond {
			t.Errorf("the pause after it had served was %s", anew)
		}
		if longest := slices.Max(pauses); longest > 30*time.Second {
			t.Errorf("the longest pause was %s", longest)
		}
	})
}

// changing is a set that runs in a synctest bubble and records what its proxies did.
type changing struct {
	*Proxies
	t    *testing.T
	stop context.CancelFunc
	over chan error

	mu  sync.Mutex
	did []string
}

func (c *changing) does(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.did = append(c.did, what)
}

// done returns and clears the record.
func (c *changing) done() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	did := c.did
	c.did = nil
	return did
}

func newChanging(t *testing.T, set ...Proxy) *changing {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &changing{Proxies: NewProxies(slog.New(slog.DiscardHandler), set), t: t, stop: cancel, over: make(chan error, 1)}
	go func() { c.over <- c.Run(ctx) }()
	synctest.Wait()
	return c
}

// proxy returns a proxy that serves until it is stopped, which takes two seconds.
func (c *changing) proxy(name, fingerprint string) Proxy {
	return Proxy{Name: name, Fingerprint: fingerprint, Run: func(ctx context.Context, started func()) error {
		c.does(name + " starts as " + fingerprint)
		started()
		<-ctx.Done()
		<-time.After(2 * time.Second)
		c.does(name + " has stopped as " + fingerprint)
		return nil
	}}
}

// set calls Set and returns its result and what the proxies did in the following minute.
func (c *changing) set(set ...Proxy) (Changes, []string) {
	c.t.Helper()
	changes, err := c.Set(c.t.Context(), set)
	if err != nil {
		c.t.Fatal(err)
	}
	<-time.After(time.Minute)
	synctest.Wait()
	return changes, c.done()
}

func TestSetLeavesUnchangedProxiesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChanging(t)
		for _, step := range []struct {
			name string
			set  []Proxy
			want Changes
			did  []string
		}{
			{"the first", []Proxy{c.proxy("a", "1")}, Changes{Added: []string{"a"}}, []string{"a starts as 1"}},
			{"the same", []Proxy{c.proxy("a", "1")}, Changes{Unchanged: []string{"a"}}, nil},
			{"one more", []Proxy{c.proxy("b", "1"), c.proxy("a", "1")}, Changes{Added: []string{"b"}, Unchanged: []string{"a"}}, []string{"b starts as 1"}},
			{"another", []Proxy{c.proxy("b", "2"), c.proxy("a", "1")}, Changes{Changed: []string{"b"}, Unchanged: []string{"a"}}, []string{"b has stopped as 1", "b starts as 2"}},
			{"one less", []Proxy{c.proxy("b", "2")}, Changes{Removed: []string{"a"}, Unchanged: []string{"b"}}, []string{"a has stopped as 1"}},
			{"it returns", []Proxy{c.proxy("a", "1"), c.proxy("b", "2")}, Changes{Added: []string{"a"}, Unchanged: []string{"b"}}, []string{"a starts as 1"}},
			{"none", nil, Changes{Removed: []string{"a", "b"}}, nil},
		} {
			changes, did := c.set(step.set...)
			if diff := cmp.Diff(step.want, changes); diff != "" {
				t.Errorf("%s: -want +got\n%s", step.name, diff)
			}
			if diff := cmp.Diff(step.did, did); diff != "" && step.did != nil {
				t.Errorf("%s: -want +got\n%s", step.name, diff)
			}
		}
		c.stop()
		if err := <-c.over; err != nil {
			t.Error(err)
		}
		if _, err := c.Set(t.Context(), nil); !errors.Is(err, ErrEnded) {
			t.Errorf("Set: %v", err)
		}
	})
}

func TestChangeableProxyIsNotRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChanging(t)
		c.set(c.proxy("a", "1"))
		for range 2 { // the second time it is unchanged
			next := c.proxy("a", "2")
			next.Change = func() { c.does("a changes") }
			_, did := c.set(next)
			if want := []string{"a changes"}; len(did) > 0 && !slices.Equal(did, want) {
				t.Errorf("it did %q", did)
			}
		}
		if changes, _ := c.set(c.proxy("a", "2")); len(changes.Unchanged) != 1 {
			t.Errorf("it is another: %v", changes)
		}
		// A proxy that is removed and added again waits for its own end, whatever is set
		// meanwhile.
		for _, set := range [][]Proxy{nil, {c.proxy("a", "3")}, nil} {
			if _, err := c.Set(t.Context(), set); err != nil {
				t.Fatal(err)
			}
		}
		if _, did := c.set(c.proxy("a", "4")); !slices.Equal(did, []string{"a has stopped as 1", "a starts as 4"}) {
			t.Errorf("it did %q", did)
		}
		c.stop()
		if err := <-c.over; err != nil {
			t.Error(err)
		}
	})
}

func TestAddedProxyThatFailsIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChanging(t)
		starts := 0
		failing := Proxy{Name: "failing", Fingerprint: "1", Run: func(context.Context, func()) error { starts++; return errBroken }}
		_, _ = c.set(failing)
		<-time.After(time.Hour)
		synctest.Wait()
		if starts < 20 || len(c.over) > 0 {
			t.Fatalf("it was started %d times", starts)
		}
		// A change is tried at once.
		before := starts
		failing.Fingerprint, failing.Change = "2", func() {}
		if _, err := c.Set(t.Context(), []Proxy{failing}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if starts != before+1 {
			t.Errorf("%d starts at once", starts-before)
		}
		c.stop()
		if err := <-c.over; err != nil {
			t.Error(err)
		}
	})
}

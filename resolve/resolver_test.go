package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// dns answers lookups in a bubble.
type dns struct {
	mu      sync.Mutex
	answers map[string][]netip.Addr
	err     error
	took    time.Duration
	asked   map[string]int
	running int
	most    int
}

func (d *dns) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	d.mu.Lock()
	d.asked[host]++
	d.running++
	d.most = max(d.most, d.running)
	took := d.took
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.running--
		d.mu.Unlock()
	}()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.answers[host], d.err
}

func (d *dns) set(err error, host string, addrs ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
	d.answers[host] = nil
	for _, a := range addrs {
		d.answers[host] = append(d.answers[host], netip.MustParseAddr(a))
	}
}

// story runs a resolver on a new dns in a bubble. changed counts the calls.
func story(t *testing.T, tell func(t *testing.T, d *dns, r *Resolver, f *Follower, changed func() int)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &dns{answers: make(map[string][]netip.Addr), asked: make(map[string]int)}
		r := New(Options{Lookup: d.lookup, Usable: func(a netip.Addr) (netip.Addr, bool) { return a, !a.IsMulticast() }})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.Run(ctx) })
		var mu sync.Mutex
		calls := 0
		f := r.Follow(func() {
			mu.Lock()
			defer mu.Unlock()
			calls++
		})
		tell(t, d, r, f, func() int {
			mu.Lock()
			defer mu.Unlock()
			return calls
		})
		cancel()
		running.Wait()
	})
}

// pass lets time pass in a bubble.
func pass(d time.Duration) { <-time.After(d) }

func want(t *testing.T, f *Follower, host, addr string, err error) {
	t.Helper()
	got, gotErr := f.Addr(host)
	if addr == "" && got.IsValid() || addr != "" && got.String() != addr || !errors.Is(gotErr, err) {
		t.Errorf("%s: got %v, %v, want %s, %v", host, got, gotErr, addr, err)
	}
}

func TestAddressStaysWhileTheNameHasItAndWhenLookupsFail(t *testing.T) {
	story(t, func(t *testing.T, d *dns, _ *Resolver, f *Follower, changed func() int) {
		d.set(nil, "a", "2001:db8::1", "10.0.0.2", "10.0.0.1")
		f.Set(map[string]bool{"a": true})
		want(t, f, "a", "", ErrPending)
		f.Await(t.Context(), time.Second)
		want(t, f, "a", "10.0.0.1", nil)
		d.set(nil, "a", "10.0.0.0", "10.0.0.1")
		pass(time.Minute)
		want(t, f, "a", "10.0.0.1", nil)
		d.set(&net.DNSError{IsNotFound: true}, "a")
		pass(time.Hour)
		want(t, f, "a", "10.0.0.1", nil)
		before := changed()
		d.set(nil, "a", "10.0.0.9")
		pass(time.Minute)
		want(t, f, "a", "10.0.0.9", nil)
		if changed() != before+1 {
			t.Errorf("changed was called %d times", changed()-before)
		}
	})
}

func TestReasonsWhyThereIsNoAddress(t *testing.T) {
	story(t, func(t *testing.T, d *dns, _ *Resolver, f *Follower, _ func() int) {
		f.Set(map[string]bool{"a": true})
		d.set(&net.DNSError{IsNotFound: true}, "a")
		pass(10 * time.Second)
		want(t, f, "a", "", ErrUnknown)
		d.set(errors.New("refused"), "a")
		pass(10 * time.Second)
		want(t, f, "a", "", ErrFailed)
		d.set(nil, "a", "224.0.0.1")
		pass(10 * time.Second)
		want(t, f, "a", "", ErrUnusable)
		d.set(nil, "a", "10.0.0.1")
		pass(10 * time.Second)
		want(t, f, "a", "10.0.0.1", nil)
	})
}

func TestLookupsAreBounded(t *testing.T) {
	story(t, func(t *testing.T, d *dns, r *Resolver, f *Follower, _ func() int) {
		d.took = time.Hour // ended by the deadline
		hosts := make(map[string]bool)
		for i := range 100 {
			hosts[fmt.Sprint("host-", i)] = true
		}
		f.Set(hosts)
		began := time.Now()
		f.Await(t.Context(), time.Second)
		if took := time.Since(began); took != time.Second {
			t.Errorf("waited %v", took)
		}
		pass(time.Minute)
		d.mu.Lock()
		most, asked := d.most, len(d.asked)
		d.mu.Unlock()
		if most != concurrent || asked != 100 {
			t.Errorf("%d lookups at a time, of %d names", most, asked)
		}
		f.Set(nil)
		if len(r.names) != 0 {
			t.Errorf("%d names are kept", len(r.names))
		}
	})
}

func TestNamesAreLookedUpAtIntervals(t *testing.T) {
	story(t, func(t *testing.T, d *dns, _ *Resolver, f *Follower, _ func() int) {
		d.set(nil, "a", "10.0.0.1")
		f.Set(map[string]bool{"a": true})
		pass(10 * time.Minute)
		d.mu.Lock()
		defer d.mu.Unlock()
		if n := d.asked["a"]; n < 13 || n > 40 {
			t.Errorf("%d lookups in ten minutes", n)
		}
	})
}

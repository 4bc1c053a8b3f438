package resolve

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// every is the mean interval between two lookups of a name, and retryAfter that after a
	// failure.
	every      = 30 * time.Second
	retryAfter = 5 * time.Second
	// deadline bounds one lookup, concurrent their number at a time.
	deadline   = 5 * time.Second
	concurrent = 16
	// tick is how often names that are due are looked for.
	tick = 100 * time.Millisecond
)

// Errors of [Follower.Addr].
var (
	// ErrPending means that the first lookup of a name is not over.
	ErrPending = errors.New("the host name is being looked up")
	// ErrUnusable means that the name has addresses, none of which can be an instance's.
	ErrUnusable = errors.New("the host name has no usable address")
	// ErrUnknown means that the name does not exist.
	ErrUnknown = errors.New("the host name does not exist")
	// ErrFailed means that no name server has answered yet.
	ErrFailed = errors.New("the host name cannot be looked up: no name server answers")
)

// Options of a [Resolver].
type Options struct {
	// Lookup returns the addresses of a name, of both families; nil is the system's. It
	// must obey its context.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Usable returns the canonical form of an address, and whether it can be used; nil
	// allows all.
	Usable func(netip.Addr) (netip.Addr, bool)
}

// Resolver looks up the names of its followers. Any goroutine may call its methods.
type Resolver struct {
	options Options
	wake    chan struct{} // receives a token when there is a new name

	mu      sync.Mutex
	names   map[string]*name
	running int // lookups
}

// name is a followed host name.
type name struct {
	due     time.Time
	running bool
	asked   bool // a lookup is over
	// addr is the address in use; invalid if there was never one. err is why there is none.
	addr      netip.Addr
	err       error
	followers map[*Follower]bool
}

// New returns a resolver; it looks up nothing before Run.
func New(o Options) *Resolver {
	if o.Lookup == nil {
		o.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if o.Usable == nil {
		o.Usable = func(addr netip.Addr) (netip.Addr, bool) { return addr, true }
	}
	return &Resolver{options: o, wake: make(chan struct{}, 1), names: make(map[string]*name)}
}

// Run looks names up until ctx is done, and returns when no lookup is running.
func (r *Resolver) Run(ctx context.Context) {
	var lookups sync.WaitGroup
	defer lookups.Wait()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-pause.C:
		}
		for _, host := range r.due(time.Now()) {
			lookups.Go(func() { r.lookup(ctx, host) })
		}
		if r.idle() {
			pause.Stop()
		} else {
			pause.Reset(tick)
		}
	}
}

// idle reports whether there are no names.
func (r *Resolver) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.names) == 0
}

// due returns names whose lookup begins now, as many as may run: those that have waited
// longest.
func (r *Resolver) due(now time.Time) (hosts []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == concurrent {
		return nil
	}
	for host, n := range r.names {
		if !n.running && !n.due.After(now) {
			hosts = append(hosts, host)
		}
	}
	slices.SortFunc(hosts, func(a, b string) int { return r.names[a].due.Compare(r.names[b].due) })
	hosts = hosts[:min(len(hosts), concurrent-r.running)]
	for _, host := range hosts {
		r.names[host].running = true
	}
	r.running += len(hosts)
	return hosts
}

func (r *Resolver) lookup(ctx context.Context, host string) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	addrs, err := r.options.Lookup(ctx, host)
	var changed []*Follower
	defer func() {
		for _, f := range changed {
			f.changed()
		}
		r.nudge() // another name may be waiting for its turn
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	n := r.names[host]
	if n == nil {
		return
	}
	n.running = false
	if before := *n; n.answer(r.usable(addrs), err) || before.err != n.err || !before.asked { //nolint:errorlint // they are sentinels
		for f := range n.followers {
			changed = append(changed, f)
		}
	}
}

// usable returns the usable addresses, IPv4 before IPv6.
func (r *Resolver) usable(all []netip.Addr) (addrs []netip.Addr) {
	for _, addr := range all {
		if addr, ok := r.options.Usable(addr.Unmap()); ok {
			addrs = append(addrs, addr)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}

// answer records an answer, and reports whether the address in use is another one. An
// address stays while the name has it: an answer's order means nothing.
func (n *name) answer(addrs []netip.Addr, err error) (changed bool) {
	n.asked = true
	n.due = time.Now().Add(jitter(every))
	switch {
	case len(addrs) > 0:
		n.err = nil
		if slices.Contains(addrs, n.addr) {
			return false
		}
		n.addr = addrs[0]
		return true
	case n.addr.IsValid():
	case err == nil:
		n.err = ErrUnusable
	default:
		n.err = ErrFailed
		if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
			n.err = ErrUnknown
		}
	}
	n.due = time.Now().Add(jitter(retryAfter))
	return false
}

// jitter returns 50 % to 150 % of d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

func (r *Resolver) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

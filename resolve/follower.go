package resolve

import (
	"context"
	"net/netip"
	"time"
)

// Follower follows a set of names.
type Follower struct {
	resolver *Resolver
	changed  func()
	// hosts is guarded by the resolver's mutex.
	hosts map[string]bool
}

// Follow returns a follower without names. changed is called after the address of one of
// them has changed, or the reason why it has none; it must not block.
func (r *Resolver) Follow(changed func()) *Follower {
	return &Follower{resolver: r, changed: changed}
}

// Set replaces the names. Those that nobody follows any more are forgotten.
func (f *Follower) Set(hosts map[string]bool) {
	r := f.resolver
	r.mu.Lock()
	defer r.mu.Unlock()
	for host := range hosts {
		n := r.names[host]
		if n == nil {
			n = &name{err: ErrPending, followers: make(map[*Follower]bool)}
			r.names[host] = n
			r.nudge()
		}
		n.followers[f] = true
	}
	for host := range f.hosts {
		if n := r.names[host]; !hosts[host] && n != nil {
			delete(n.followers, f)
			if len(n.followers) == 0 {
				delete(r.names, host)
			}
		}
	}
	f.hosts = hosts
}

// Addr returns the address of a name of [Follower.Set], or an error of this package.
func (f *Follower) Addr(host string) (netip.Addr, error) {
	f.resolver.mu.Lock()
	defer f.resolver.mu.Unlock()
	n := f.resolver.names[host]
	switch {
	case n == nil:
		return netip.Addr{}, ErrPending
	case n.addr.IsValid():
		return n.addr, nil
	}
	return netip.Addr{}, n.err
}

// Await waits until each name was looked up once, at most for patience or until ctx is
// done.
func (f *Follower) Await(ctx context.Context, patience time.Duration) {
	over := time.NewTimer(patience)
	defer over.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for f.pending() {
		select {
		case <-ctx.Done():
			return
		case <-over.C:
			return
		case <-poll.C:
		}
	}
}

func (f *Follower) pending() bool {
	f.resolver.mu.Lock()
	defer f.resolver.mu.Unlock()
	for host := range f.hosts {
		if n := f.resolver.names[host]; n != nil && !n.asked {
			return true
		}
	}
	return false
}

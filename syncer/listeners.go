package syncer

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// interfacesTTL is how long the machine's addresses are cached.
	interfacesTTL = 10 * time.Second
	// maxInterfaces bounds them.
	maxInterfaces = 4096
)

// Listeners are the addresses on which this daemon and its HAProxys listen. An
// unspecified address stands for all of this machine's. Any goroutine may call its
// methods.
type Listeners struct {
	interfaces func() ([]net.Addr, error)

	mu    sync.Mutex
	all   map[netip.AddrPort]bool
	local map[netip.Addr]bool
	read  time.Time
}

// NewListeners returns an empty set of listeners.
func NewListeners() *Listeners { return &Listeners{interfaces: net.InterfaceAddrs} }

// Set replaces all listeners.
func (l *Listeners) Set(all []netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = make(map[netip.AddrPort]bool, len(all))
	for _, a := range all {
		addr := a.Addr().Unmap()
		if addr.IsUnspecified() {
			addr = netip.Addr{} // HAProxy and Go mean both families, or one
		}
		l.all[netip.AddrPortFrom(addr, a.Port())] = true
	}
}

// Own reports whether an address is that of a listener.
func (l *Listeners) Own(addr netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all[addr] {
		return true
	}
	return l.all[netip.AddrPortFrom(netip.Addr{}, addr.Port())] && (addr.Addr().IsLoopback() || l.isLocal(addr.Addr()))
}

// isLocal reports whether an interface of this machine has an address. If the addresses
// cannot be read, the previous ones apply.
func (l *Listeners) isLocal(addr netip.Addr) bool {
	if now := time.Now(); l.local == nil || now.Sub(l.read) >= interfacesTTL {
		l.read = now
		if addrs, err := l.interfaces(); err == nil {
			l.local = make(map[netip.Addr]bool)
			for _, a := range addrs[:min(len(addrs), maxInterfaces)] {
				if n, isNet := a.(*net.IPNet); isNet {
					if ip, ok := netip.AddrFromSlice(n.IP); ok {
						l.local[ip.Unmap()] = true
					}
				}
			}
		}
	}
	return l.local[addr]
}

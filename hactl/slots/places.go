package slots

import (
	"net/netip"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Places counts where each address is, over all groups of a proxy: searching every
// group would be linear in their size. A nil Places counts nothing.
type Places map[netip.AddrPort]Place

// Place counts the groups in which an address is registered, and those in which it
// occupies a slot.
type Place struct{ Registered, Serving int }

func (p Places) add(addr netip.AddrPort, more Place) {
	if p == nil {
		return
	}
	now := p[addr]
	now.Registered += more.Registered
	now.Serving += more.Serving
	if now == (Place{}) {
		delete(p, addr)
	} else {
		p[addr] = now
	}
}

// Register updates the counts for a group whose registered instances were before and
// are now. Both lists are sorted.
func (p Places) Register(before, now []registry.Instance) {
	if p == nil {
		return
	}
	for len(before) > 0 || len(now) > 0 {
		switch order := compareFirst(before, now); {
		case order < 0:
			p.add(before[0].Addr, Place{Registered: -1})
			before = before[1:]
		case order > 0:
			p.add(now[0].Addr, Place{Registered: 1})
			now = now[1:]
		default:
			before, now = before[1:], now[1:]
		}
	}
}

// compareFirst compares the first instances of two sorted lists, at most one of which
// is empty.
func compareFirst(a, b []registry.Instance) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return a[0].Addr.Compare(b[0].Addr)
}

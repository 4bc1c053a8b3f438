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
	registry.Changes(before, now,
		func(i registry.Instance) { p.add(i.Addr, Place{Registered: -1}) },
		func(i registry.Instance) { p.add(i.Addr, Place{Registered: 1}) })
}

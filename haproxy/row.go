package haproxy

import "net/netip"

// Row describes how one slot of a backend is rendered. The zero Row is a free slot.
type Row struct {
	// Addr is the address of the instance; invalid if the slot is free.
	Addr netip.AddrPort
	// Disabled keeps requests away until the server is made ready.
	Disabled bool
	// Named gives the server the name of its address, and not that of a slot: see
	// [CarryServers]. It is never free.
	Named bool
}

// free reports whether no instance occupies the slot.
func (r Row) free() bool { return !r.Addr.IsValid() }

// countSlots counts the slots of all backends. Where servers are added at run time, those
// that may be added before the next reload count too.
func countSlots(backends []Backend, rows [][]Row) (slots int) {
	for i, r := range rows {
		switch {
		case len(r) == 0:
			slots += backends[i].Servers.Size()
		case r[0].Named:
			slots += max(2*len(r), backends[i].Servers.Size())
		default:
			slots += len(r)
		}
	}
	return slots
}

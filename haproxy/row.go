package haproxy

import "net/netip"

// Row describes how one slot of a backend is rendered. The zero Row is a free slot.
type Row struct {
	// Addr is the address of the instance; invalid if the slot is free.
	Addr netip.AddrPort
	// Disabled keeps requests away until the server is made ready.
	Disabled bool
}

// free reports whether no instance occupies the slot.
func (r Row) free() bool { return !r.Addr.IsValid() }

// countSlots counts the slots of all backends.
func countSlots(rows [][]Row) (slots int) {
	for _, r := range rows {
		slots += len(r)
	}
	return slots
}

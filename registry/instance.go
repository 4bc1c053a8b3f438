package registry

import (
	"net/netip"
	"slices"
)

// Instance is one registered instance of an application.
type Instance struct {
	// Addr is valid, unmapped, without a zone, and has a port of 1 to 65535.
	Addr netip.AddrPort
}

// String returns the canonical `ip:port` or `[ip]:port`.
func (i Instance) String() string { return i.Addr.String() }

// Sort orders instances by address, then port, and removes duplicates in place.
func Sort(instances []Instance) []Instance {
	slices.SortFunc(instances, func(a, b Instance) int { return a.Addr.Compare(b.Addr) })
	return slices.Compact(instances)
}

// SameList reports in constant time whether two lists, which are immutable, are one and
// the same; lists that are merely equal are not.
func SameList(a, b []Instance) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

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

// Changes calls removed for each instance that only before has, and added for each that
// only now has. Both lists are sorted and unique.
func Changes(before, now []Instance, removed, added func(Instance)) {
	for len(before) > 0 || len(now) > 0 {
		switch order := compareFirst(before, now); {
		case order < 0:
			removed(before[0])
			before = before[1:]
		case order > 0:
			added(now[0])
			now = now[1:]
		default:
			before, now = before[1:], now[1:]
		}
	}
}

// compareFirst compares the first instances of two sorted lists, at most one of which
// is empty.
func compareFirst(a, b []Instance) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return a[0].Addr.Compare(b[0].Addr)
}

// SameList reports in constant time whether two lists, which are immutable, are one and
// the same; lists that are merely equal are not.
func SameList(a, b []Instance) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

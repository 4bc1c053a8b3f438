package registry

import "time"

// Group is one application as registered in ZooKeeper now: the complete list, not a
// change.
type Group struct {
	Name string
	// Instances are sorted and unique (see [Sort]).
	Instances []Instance
	// Skipped is the number of children whose names are not a usable `ip:port`, or that of
	// an instance that is not admitted.
	Skipped int
	// Recalled is true if the list is not from ZooKeeper but from the cache, and may be old.
	Recalled bool
	// Since is when the previous list was last known to be current; zero is unknown. It has
	// a monotonic reading.
	Since time.Time
}

package registry

import "time"

// Group is one application as ZooKeeper has it now: the whole list, not a change.
type Group struct {
	Name string
	// Instances are sorted and unique (see [Sort]).
	Instances []Instance
	// Skipped counts the children whose names are no usable `ip:port`.
	Skipped int
	// Recalled is true when ZooKeeper has not told it: it was kept from before, and
	// may be old.
	Recalled bool
	// Since is when the list before this one was last known to be right; zero is that
	// it is not known. It has a monotonic reading.
	Since time.Time
}

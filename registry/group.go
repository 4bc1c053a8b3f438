package registry

import "time"

// Group is one application as registered now: the complete list, not a change.
type Group struct {
	Name string
	// Instances are sorted and unique (see [Sort]).
	Instances []Instance
	// Terms has the instances whose registrations say how to serve them; it is immutable
	// and may be nil.
	Terms map[Instance]Terms
	// Earlier are the terms of the list that the previous process knew last; nil if this is
	// not the first list of the group, or if there were none.
	Earlier map[Instance]Terms
	// Skipped is the number of children that are not usable instances, or that of an
	// instance that is not admitted.
	Skipped int
	// Recalled is true if the list, or a part of it, is not from its source but from the cache
	// and may be old, or if a source has not been read yet.
	Recalled bool
	// Parts are the instances by source; nil if all of them are from ZooKeeper.
	Parts []Part
	// Since is when the previous list was last known to be current; zero is unknown. It has
	// a monotonic reading.
	Since time.Time
}

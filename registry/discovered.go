package registry

// Discovered is the complete list of the groups discovered now, not a change.
type Discovered struct {
	// Names are unique. If only one of several names can be served, it is the first, unless
	// another one is served already.
	Names []string
	// Recalled is true if the list is not from ZooKeeper but from the cache, as in [Group].
	Recalled bool
}

package registry

// Discovered is which groups are discovered now: all of them, not a change.
type Discovered struct {
	Names []string
	// Recalled is true when ZooKeeper has not told it, as in [Group].
	Recalled bool
}

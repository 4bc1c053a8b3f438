package registry

// Launch is a configuration of HAProxy that is to become the running one.
type Launch struct {
	// Config is the whole text of the file.
	Config []byte
	// Cause is one word or two for logs and metrics: start, slots, worker died.
	Cause string
	// FilesWanted is how many file descriptors one process of it may come to
	// use, FilesNeeded how many it cannot start without.
	FilesWanted, FilesNeeded uint64
}

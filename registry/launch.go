package registry

// Launch is a configuration of HAProxy to be started.
type Launch struct {
	// Config is the complete text of the file.
	Config []byte
	// Maps are the files that HAProxy reads while it reads Config.
	Maps []Map
	// Shape represents Config without what stats sockets can change: two configurations of
	// the same shape differ only in addresses and states of servers.
	Shape string
	// Cause is a word or two for logs and metrics: start, slots, worker died.
	Cause string
	// FilesWanted is the number of file descriptors that one process may use, FilesNeeded
	// the number without which it cannot start.
	FilesWanted, FilesNeeded uint64
}

// Map is a file beside that of the configuration.
type Map struct {
	Path string
	Text []byte
}

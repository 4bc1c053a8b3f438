package registry

import "time"

// Snapshot is what one proxy means to serve. It is immutable: whoever has more
// to tell makes a new one, so that a pointer to it identifies its content.
type Snapshot struct {
	Proxy string
	// Groups are in the configuration's order.
	Groups []Group
	// Waiting names the groups whose list has not been read once yet.
	Waiting []string
}

// Contact tells how the talk with ZooKeeper goes.
type Contact struct {
	// Connected is true while there is a session with a live connection.
	Connected bool
	// Last is when ZooKeeper was last heard; zero means never.
	Last time.Time
	// Problem says why there is no connection; empty when there is one.
	Problem string
	// Denied says what may not be read, and what to do; empty when all may.
	Denied string
	// Recalled names the groups whose lists are those of the process before:
	// ZooKeeper has not told them yet.
	Recalled []string
}

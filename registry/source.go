package registry

import (
	"cmp"
	"time"
)

// SourceKind is where instances are read from: a word for answers and metrics.
type SourceKind string

// The sources of instances. A proxy has at most one of each.
const (
	ZooKeeper SourceKind = "zookeeper"
	Directory SourceKind = "directory"
	// Written are the instances written in the configuration.
	Written SourceKind = "configuration"
)

// Part has the instances of a group that one source lists.
type Part struct {
	Source SourceKind
	// Instances are sorted and unique.
	Instances []Instance
}

// ConnectionStatus is the state of the connection to a source of instances, and to others
// of the same proxy.
type ConnectionStatus struct {
	// Source is the source; empty means ZooKeeper.
	Source SourceKind
	// Connected is true while there is a session with a live connection, or while the
	// directory can be read.
	Connected bool
	// Last is when the source was last heard; zero means never. It has a monotonic reading,
	// so its age does not depend on the wall clock.
	Last time.Time
	// Problem is why there is no connection; empty if there is one.
	Problem string
	// Denied is what may not be read, and what to do; empty if everything may be read.
	Denied string
	// Recalled are the groups whose lists are from the cache, not yet from ZooKeeper, or not
	// from all of their sources.
	Recalled []string
	// Server is that of ZooKeeper with the connection, as `address:port`; empty if there is
	// none.
	Server string
	// RoundTrip is the time from sending the latest request to ZooKeeper, usually a ping,
	// until all of its answer had arrived; zero before the first one.
	RoundTrip time.Duration
	// Others are the other sources of the proxy.
	Others []ConnectionStatus
}

// Kind returns the source.
func (c ConnectionStatus) Kind() SourceKind { return cmp.Or(c.Source, ZooKeeper) }

// All returns the status of each source, with neither Recalled nor Others of the further
// ones.
func (c ConnectionStatus) All() []ConnectionStatus {
	return append([]ConnectionStatus{c}, c.Others...)
}

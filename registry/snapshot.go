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
	// ReloadError is why the last reload failed, while what ran before serves on.
	ReloadError string
	// Remarks are in the groups' order, then sorted by instance and kind.
	Remarks []Remark
}

// Remark says that an instance is not served as its registration alone would
// have it.
type Remark struct {
	// Group is the name of one of the snapshot's groups.
	Group    string
	Instance Instance
	Kind     RemarkKind
	// Text says more of [Operator]: drain, maint, or weight and a number or a
	// percentage, joined by a space.
	Text string
}

// RemarkKind is why a [Remark] is made.
type RemarkKind string

const (
	// Held is an instance that left and is kept in service by the loss guard.
	Held RemarkKind = "held"
	// Damped is an instance that left and came back too often, and is not in
	// service yet.
	Damped RemarkKind = "damped"
	// Operator is an instance that an operator has changed.
	Operator RemarkKind = "operator"
)

// Held tells how many instances of a group are held; of all when group is empty.
func (s *Snapshot) Held(group string) (n int) {
	for _, r := range s.Remarks {
		if r.Kind == Held && (group == "" || group == r.Group) {
			n++
		}
	}
	return n
}

// Contact tells how the talk with ZooKeeper goes.
type Contact struct {
	// Connected is true while there is a session with a live connection.
	Connected bool
	// Last is when ZooKeeper was last heard; zero means never. It has a monotonic
	// reading: how long ago that is does not depend on the clock's being right.
	Last time.Time
	// Problem says why there is no connection; empty when there is one.
	Problem string
	// Denied says what may not be read, and what to do; empty when all may.
	Denied string
	// Recalled names the groups whose lists are those of the process before:
	// ZooKeeper has not told them yet.
	Recalled []string
}

package syncer

import (
	"maps"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// maxExamined bounds how many instances of a group are examined: the first by name.
	maxExamined = 1000
	// maxReexamined bounds how many persistent instances are examined again after a read.
	maxReexamined = 100

	notEphemeral  = "registered, but not ephemeral: it stays when the instance dies"
	makeEphemeral = "let the instance's own session create the node as ephemeral, and delete the persistent one"
)

// owners records which instances of one group belong to no session. Its fields are
// guarded by the inspector's mutex.
//
// A name is examined once while it stays listed. Because a node may be replaced between
// two reads, persistent ones are examined again after every read: that is how operators
// fix them. An ephemeral node replaced by a persistent one without ever missing from a
// list goes unnoticed.
type owners struct {
	inspector *inspector
	path      string
	note      *intake.Note

	persistent map[string]bool // of every examined name
	wanted     []string        // names to be examined
	queued     bool            // the inspector has it in its queue
	paused     bool            // the group is not being followed
}

// update is called with the sorted names of all instances.
func (o *owners) update(names []string) {
	o.inspector.mu.Lock()
	defer o.inspector.mu.Unlock()
	names = names[:min(len(names), maxExamined)]
	if o.persistent == nil {
		o.persistent = make(map[string]bool)
	}
	maps.DeleteFunc(o.persistent, func(name string, _ bool) bool {
		_, listed := slices.BinarySearch(names, name)
		return !listed
	})
	o.wanted = o.wanted[:0]
	again := 0
	for _, name := range names {
		persistent, examined := o.persistent[name]
		if persistent {
			again++
		}
		if !examined || persistent && again <= maxReexamined {
			o.wanted = append(o.wanted, name)
		}
	}
	o.settle()
}

// unchanged is called if a read returned the same list.
func (o *owners) unchanged() {
	o.inspector.mu.Lock()
	defer o.inspector.mu.Unlock()
	again := 0
	for name, persistent := range o.persistent {
		if persistent && again < maxReexamined && !slices.Contains(o.wanted, name) {
			again++
			o.wanted = append(o.wanted, name)
		}
	}
	o.settle()
}

// answer records whether a name is persistent.
func (o *owners) answer(name string, persistent bool) {
	o.inspector.mu.Lock()
	defer o.inspector.mu.Unlock()
	i := slices.Index(o.wanted, name)
	if i < 0 {
		return // no longer listed
	}
	o.wanted = slices.Delete(o.wanted, i, i+1)
	o.persistent[name] = persistent
	o.settle()
}

// settle lets the inspector examine wanted names, or records the result.
func (o *owners) settle() {
	if len(o.wanted) > 0 && !o.paused {
		o.inspector.enqueue(o)
		return
	}
	o.conclude()
	o.inspector.remove(o) // after the note: callers wait for the end of the examination
}

func (o *owners) conclude() {
	found := registry.Finding{Kind: registry.Persistent, Problem: notEphemeral, Remedy: makeEphemeral}
	for name, persistent := range o.persistent {
		if persistent {
			found.Count++
			if found.Count == 1 || name < found.Example {
				found.Example = name
			}
		}
	}
	found.Example = intake.Printable(found.Example)
	if found.Count == 0 {
		o.note.Set(fromOwners)
		return
	}
	o.note.Set(fromOwners, found)
}

// setPaused pauses or resumes the examination.
func (o *owners) setPaused(paused bool) {
	o.inspector.mu.Lock()
	defer o.inspector.mu.Unlock()
	o.paused = paused
	if paused {
		o.inspector.remove(o)
	} else if len(o.wanted) > 0 {
		o.inspector.enqueue(o)
	}
}

// outlivesSessions reports whether only a deletion ends a node: it belongs to no session
// and is not a TTL node. See EphemeralType in ZooKeeper.
func outlivesSessions(s *zk.Stat) bool {
	const container = -1 << 63
	return s.EphemeralOwner == 0 || s.EphemeralOwner == container
}

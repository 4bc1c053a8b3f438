package intake

import (
	"cmp"
	"slices"
	"sync"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Notes are the notes of all groups being followed. The zero value is ready to use; any
// goroutine may call its methods.
type Notes struct {
	mu  sync.Mutex
	all map[string]*Note // by group
}

// Add includes a note, in place of another one of its group.
func (ns *Notes) Add(n *Note) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.all == nil {
		ns.all = make(map[string]*Note)
	}
	ns.all[n.group] = n
}

// Remove ends what Add began.
func (ns *Notes) Remove(n *Note) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.all[n.group] == n {
		delete(ns.all, n.group)
	}
}

// All returns what was found for every group, ordered by name.
func (ns *Notes) All() []registry.Registrations {
	return ns.those(func(*Note) bool { return true })
}

// Remarkable returns what was found for the groups that have findings, or instances of
// other formats than `ip:port`, ordered by name.
func (ns *Notes) Remarkable() []registry.Registrations { return ns.those((*Note).remarkable) }

func (ns *Notes) those(shown func(*Note) bool) []registry.Registrations {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	var all []registry.Registrations
	for _, n := range ns.all {
		if shown(n) {
			all = append(all, n.Get())
		}
	}
	slices.SortFunc(all, func(a, b registry.Registrations) int { return cmp.Compare(a.Group, b.Group) })
	return all
}

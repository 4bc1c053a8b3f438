package syncer

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// logAgain is how soon a finding that has recurred is logged again.
const logAgain = 10 * time.Minute

// source is an origin of findings; each source replaces only its own.
type source int

const (
	fromNames  source = iota // of the children
	fromPlace                // children beside a path that does not exist
	fromCreate               // of the path
	fromOwners               // of the children
	sources
)

// note holds what was found in ZooKeeper for one group besides instances. Any goroutine
// may call its methods.
type note struct {
	group string
	path  string
	log   *slog.Logger

	mu     sync.Mutex
	usable int
	found  [sources][]registry.Finding
	logged map[registry.Finding]time.Time // by kind and problem, which are few
}

// set replaces the findings of a source and logs new ones.
func (n *note) set(from source, found ...registry.Finding) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.found[from]
	n.found[from] = found
	for _, f := range found {
		id := registry.Finding{Kind: f.Kind, Problem: f.Problem}
		same := func(g registry.Finding) bool { return g.Kind == f.Kind && g.Problem == f.Problem }
		if at, logged := n.logged[id]; slices.ContainsFunc(before, same) || logged && time.Since(at) < logAgain {
			continue
		}
		if n.logged == nil {
			n.logged = make(map[registry.Finding]time.Time)
		}
		n.logged[id] = time.Now()
		n.report(f)
	}
}

// setNames sets the findings about the children's names and the number of usable names.
func (n *note) setNames(usable int, found []registry.Finding) {
	n.mu.Lock()
	n.usable = usable
	n.mu.Unlock()
	n.set(fromNames, found...)
}

func (n *note) report(f registry.Finding) {
	log := n.log.With("path", n.path, "count", f.Count, "example", f.Example)
	switch f.Kind {
	case registry.NotCreated:
		n.log.Warn("cannot create path, waiting for it", "path", n.path, "problem", f.Problem, "remedy", f.Remedy)
	case registry.Persistent:
		log.Warn("instance is registered but not ephemeral: it stays when the instance dies", "remedy", f.Remedy)
	case registry.Misplaced:
		log.Warn("path does not exist, but its parent has other children: zk.path says where instances are looked for", "problem", f.Problem, "remedy", f.Remedy)
	default:
		log.Warn("skipping registered names that are not usable instances", "kind", string(f.Kind), "problem", f.Problem, "usable", n.usable, "remedy", f.Remedy)
	}
}

// get returns the findings.
func (n *note) get() registry.Registrations {
	n.mu.Lock()
	defer n.mu.Unlock()
	return registry.Registrations{Group: n.group, Usable: n.usable, Findings: slices.Concat(n.found[:]...)}
}

// notes are the notes of all groups being followed. The zero value is ready to use.
type notes struct {
	mu  sync.Mutex
	all map[string]*note // by group
}

// add includes a note.
func (ns *notes) add(n *note) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.all == nil {
		ns.all = make(map[string]*note)
	}
	ns.all[n.group] = n
}

// remove ends what add began.
func (ns *notes) remove(n *note) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.all[n.group] == n {
		delete(ns.all, n.group)
	}
}

// each returns the findings of every group, ordered by name.
func (ns *notes) each() []registry.Registrations {
	ns.mu.Lock()
	all := slices.Collect(maps.Values(ns.all))
	ns.mu.Unlock()
	slices.SortFunc(all, func(a, b *note) int { return cmp.Compare(a.group, b.group) })
	out := make([]registry.Registrations, len(all))
	for i, n := range all {
		out[i] = n.get()
	}
	return out
}

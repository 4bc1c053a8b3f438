package sources

import (
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Merger joins the lists of several sources. An instance that several of them list counts
// once, and is served as the strictest of them says.
//
// A group is passed on for the first time when every source that may have it has listed
// it: a part would take instances out of service that another source has. From then on
// each change is passed on, and a source that cannot be read keeps its last lists.
type Merger struct {
	sink Sink
	// configured are the groups of the configuration: all sources of the proxy list them.
	configured map[string]bool

	mu     sync.Mutex
	inputs []*Input
	// incomplete is true if lists that lack a source are passed on too.
	incomplete bool
	// names are the discovered groups that were passed on; nil if none were.
	names map[string]bool
	// whole are the groups that were passed on with all of their sources, parts those that
	// lacked one.
	whole, parts map[string]bool
}

// NewMerger returns a merger without sources. configured are the names of the groups in
// the configuration.
func NewMerger(sink Sink, configured []string) *Merger {
	m := &Merger{sink: sink, configured: make(map[string]bool), whole: make(map[string]bool), parts: make(map[string]bool)}
	for _, name := range configured {
		m.configured[name] = true
	}
	return m
}

// Input is the sink of one source.
type Input struct {
	merger    *Merger
	source    registry.SourceKind
	discovers bool
	// lists reports whether the source lists a configured group.
	lists func(group string) bool

	// Guarded by the merger's mutex.

	names  []string // the discovered groups; nil: not listed yet
	listed map[string]bool
	// recalled is true if the names are from the cache.
	recalled bool
	groups   map[string]registry.Group
	// earlier are the terms that the previous process knew, by group, until they are passed
	// on.
	earlier map[string]map[registry.Instance]registry.Terms
}

// Add adds a source, before any of them runs. lists reports whether it will list a
// configured group; discovers is true if it discovers others.
func (m *Merger) Add(source registry.SourceKind, lists func(group string) bool, discovers bool) *Input {
	in := &Input{merger: m, source: source, discovers: discovers, lists: lists, groups: make(map[string]registry.Group)}
	in.earlier = make(map[string]map[registry.Instance]registry.Terms)
	m.inputs = append(m.inputs, in)
	return in
}

// Start passes on the configured groups that no source lists, which are empty. Call it
// once, after the last Add.
func (m *Merger) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.configured {
		if !slices.ContainsFunc(m.inputs, func(in *Input) bool { return in.lists(name) }) {
			m.pass(name, time.Time{})
		}
	}
}

// SetGroup implements [Sink].
func (in *Input) SetGroup(g registry.Group) {
	m := in.merger
	m.mu.Lock()
	defer m.mu.Unlock()
	if !in.expects(g.Name) {
		return // read before the group was removed
	}
	in.groups[g.Name] = g
	if g.Earlier != nil {
		in.earlier[g.Name] = g.Earlier
	}
	m.pass(g.Name, g.Since)
}

// SetGroups implements [Sink].
func (in *Input) SetGroups(d registry.Discovered) {
	m := in.merger
	m.mu.Lock()
	defer m.mu.Unlock()
	in.names, in.recalled, in.listed = append([]string{}, d.Names...), d.Recalled, make(map[string]bool, len(d.Names))
	for _, name := range d.Names {
		in.listed[name] = true
	}
	var left []string
	for name := range in.groups {
		if !in.expects(name) {
			delete(in.groups, name)
			delete(in.earlier, name)
			left = append(left, name)
		}
	}
	m.passNames()
	for _, name := range left {
		if m.names[name] {
			m.pass(name, time.Time{}) // other sources still list it
		}
	}
}

// expects reports whether the source lists a group.
func (in *Input) expects(name string) bool {
	if in.merger.configured[name] {
		return in.lists(name)
	}
	return in.listed[name]
}

// fromZooKeeper reports whether ZooKeeper is the only source.
func (m *Merger) fromZooKeeper() bool {
	return len(m.inputs) == 1 && m.inputs[0].source == registry.ZooKeeper
}

// Recall passes on what is known of the groups that not all sources have listed, as if it
// came from a cache: instances of HAProxy that are missing in such a list stay.
func (m *Merger) Recall() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.incomplete = true
	m.passNames()
	for name := range m.configured {
		if !m.whole[name] {
			m.pass(name, time.Time{})
		}
	}
}

// Incomplete returns the sorted names of the groups that were passed on without a source
// that may have them.
func (m *Merger) Incomplete() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := make([]string, 0, len(m.parts))
	for name := range m.parts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// passNames passes on the discovered groups once all sources have listed theirs, and then
// the groups that only waited for that.
func (m *Merger) passNames() {
	d := registry.Discovered{Names: []string{}}
	names, waits, discovers := make(map[string]bool), false, false
	for _, in := range m.inputs {
		if !in.discovers {
			continue
		}
		discovers = discovers || in.names != nil
		if in.names == nil {
			waits, d.Recalled = true, true
			continue
		}
		d.Recalled = d.Recalled || in.recalled
		for _, name := range in.names {
			if !names[name] {
				names[name] = true
				d.Names = append(d.Names, name)
			}
		}
	}
	if !discovers || waits && !m.incomplete && m.names == nil {
		return
	}
	before := m.names
	m.names = names
	for _, passed := range []map[string]bool{m.whole, m.parts} {
		for name := range passed {
			if !names[name] && !m.configured[name] {
				delete(passed, name)
			}
		}
	}
	m.sink.SetGroups(d)
	for name := range names {
		if !before[name] || !m.whole[name] {
			m.pass(name, time.Time{})
		}
	}
}

// pass passes a group on, unless a source that may have it has not listed it. since is
// when the list of the source that has changed was last known to be current.
func (m *Merger) pass(name string, since time.Time) {
	if !m.configured[name] && !m.names[name] {
		return
	}
	g := registry.Group{Name: name, Instances: []registry.Instance{}, Since: since}
	read, missing := 0, 0
	for _, in := range m.inputs {
		if !in.expects(name) {
			continue
		}
		list, isRead := in.groups[name]
		if !isRead {
			missing++
			continue
		}
		read++
		g.Skipped += list.Skipped
		g.Recalled = g.Recalled || list.Recalled
		g.Terms, g.Earlier = join(g.Terms, list.Terms), join(g.Earlier, in.earlier[name])
		if len(m.inputs) == 1 {
			g.Instances = list.Instances // sorted and unique, and as long as a hundred thousand
		} else {
			g.Instances = append(g.Instances, list.Instances...)
		}
		g.Parts = append(g.Parts, registry.Part{Source: in.source, Instances: list.Instances})
	}
	if missing > 0 && !m.whole[name] && (!m.incomplete || read == 0) {
		return
	}
	for _, in := range m.inputs {
		delete(in.earlier, name)
	}
	switch {
	case missing == 0:
		m.whole[name] = true
		delete(m.parts, name)
	case !m.whole[name]:
		m.parts[name] = true
		g.Recalled = true
	}
	switch {
	case len(m.inputs) > 1:
		g.Instances = registry.Sort(g.Instances)
	case m.fromZooKeeper():
		g.Parts = nil
	}
	m.sink.SetGroup(g)
}

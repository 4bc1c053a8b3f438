package hactl

import (
	"net/netip"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// desired is the desired state of the workers: the groups with their registered, taken
// over and discovered instances.
type desired struct {
	opts *Options
	arrangement

	latencies latencies

	// older is true while listed comes from the cache: HAProxy may have other groups.
	older bool
	// takenOver has the servers of a previous HAProxy, for groups not read yet.
	takenOver map[string]map[netip.AddrPort]slots.Slot
	// mostSlots bounds the slots of all groups together; full is true while instances
	// wait because of that bound.
	mostSlots int
	full      bool
	// births counts the groups ever discovered.
	births int
	// refusals has the replies of HAProxy that refused to add servers, by group.
	refusals map[string]string
	// refusedBackends has those that refused to add or delete the group itself.
	refusedBackends map[string]string
	// change is the staged layout; nil if there is none.
	change *Source
	// noticedVersion is the version of the executable.
	noticedVersion haproxy.Version
	// startProblem is why the proxy has not been ready since the start; empty once it
	// was ready.
	startProblem string
	// seen is when the oldest change not applied yet was seen.
	seen time.Time
	// restless are the groups whose instances may have to be decided on again although no
	// list arrives. spare is how many more slots all groups may have together, at the last
	// look. index has the places of groups by name, see [desired.lookup].
	restless []*group
	spare    int
	index    map[string]int

	retireAt time.Time // zero: no discovered group is empty
	holdAt   time.Time // zero: no instance is held
	enterAt  time.Time // zero: no instance waits to enter
	drainAt  time.Time // zero: no leaving instance keeps its sessions
}

// arrangement is what a layout makes of the registered instances. A new layout replaces
// it completely or not at all.
type arrangement struct {
	layout Layout
	groups []*group     // in the order of the rendered file
	places slots.Places // of the groups' instances
	// listed is true once the list of discovered groups is known.
	listed bool
	// refused has the discovered names that cannot be groups, each logged once.
	refused map[string]bool
}

func newDesired(o *Options) *desired {
	d := &desired{opts: o, mostSlots: maxAllSlots}
	d.arrange(Layout{Template: o.Template, Frame: o.Frame, Backends: o.Backends, Discover: o.Discover, Current: o.Current})
	return d
}

// arrange starts over with a layout and its configured groups.
func (d *desired) arrange(l Layout) {
	d.arrangement = arrangement{layout: l, places: make(slots.Places), listed: l.Discover == nil}
	for _, b := range l.Backends {
		d.groups = append(d.groups, d.newGroup(b, false, b.Servers.Size()))
	}
}

// next returns when there is something to decide, even if nothing arrives; zero means
// never.
func (d *desired) next() time.Time {
	return earliest(d.retireAt, d.holdAt, d.enterAt, d.drainAt)
}

// rendered returns the groups that the configuration has. The caller must not modify
// the slice.
func (d *desired) rendered() []*group { return rendered(d.groups) }

func rendered(groups []*group) []*group {
	if !slices.ContainsFunc(groups, (*group).leftOut) {
		return groups
	}
	return slices.DeleteFunc(slices.Clone(groups), (*group).leftOut)
}

// read applies lists. It returns how many groups need a reload, which adds their backends.
func (d *desired) read(mail mail) (added int) {
	if d.change != nil {
		d.change.absorb(mail)
	}
	if d.seen.IsZero() {
		d.seen = mail.since
	}
	if mail.listed && d.layout.Discover != nil {
		d.older = mail.found.Recalled
		added = d.setDiscovered(mail.found.Names)
	}
	d.readLists(mail, d.groups)
	return added
}

// readLists applies the lists of groups.
func (d *desired) readLists(mail mail, groups []*group) {
	for _, g := range groups {
		// Lists of a deleted group were read before it was deleted.
		if seen, changed := mail.groups[g.backend.Name]; changed && g.listed {
			d.see(g, seen)
			if g.heard.IsZero() {
				g.heard = mail.since
			}
		}
	}
}

// lookup returns the group of a name; nil if there is none.
func (d *desired) lookup(name string) *group {
	if at, known := d.index[name]; known && at < len(d.groups) && d.groups[at].backend.Name == name {
		return d.groups[at]
	}
	d.index = make(map[string]int, len(d.groups))
	for i, g := range d.groups {
		d.index[g.backend.Name] = i
	}
	if at, known := d.index[name]; known {
		return d.groups[at]
	}
	return nil
}

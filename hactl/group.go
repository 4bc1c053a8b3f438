package hactl

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/membership"
	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// group is one application: its backend, its instances and their slots.
type group struct {
	backend haproxy.Backend
	members *membership.Group
	table   *slots.Table
	places  slots.Places // of the instances of all groups
	// slowStarts is true if HAProxy ramps up the traffic of an instance that enters.
	slowStarts bool
	// running is how many of its slots the running generation has.
	running int
	// touched is true while a slot may have an operator's override.
	touched   bool
	available availability
	carriage
	standing
	discovery
	reported
}

// discovery has the fields that only a discovered group uses.
type discovery struct {
	discovered bool
	// listed is true while the group's path exists.
	listed bool
	// emptied is since when the group has had no instance.
	emptied time.Time
	retirement
	// born is smaller for groups discovered earlier; shadowed is true while another
	// group takes the requests of this one.
	born     int
	shadowed bool
}

// reported is the last logged, remarked and measured state of a group.
type reported struct {
	// holdLogged is true once it was logged that instances are held, overfull once it
	// was logged that there are more instances than the group may have slots; both
	// until the end of that is logged.
	holdLogged, overfull bool
	// beyond is true while there are more instances than slots, whatever the limit.
	beyond bool
	// served has the last logged state of the instances, at loggedOf. heard is when the
	// first list arrived whose changes are not applied yet; zero if there is none.
	served   map[netip.AddrPort]served
	loggedOf loggedOf
	heard    time.Time
	// remarks are those of remarked.
	remarks    []registry.Remark
	remarked   remarked
	overridden overridden
	figures    figures
	// shown is true once the metrics have the figures.
	shown bool
}

// newGroup returns a group of a layout with size slots, unless its servers are added as
// needed.
func (d *desired) newGroup(b haproxy.Backend, discovered bool, size int) *group {
	t, all := d.layout.Template, d.places
	g := &group{
		backend:    b,
		members:    membership.New(b.Name, b.LossGuard),
		slowStarts: t.SlowStarts(b),
		places:     all,
		discovery:  discovery{discovered: discovered, listed: true},
		reported:   reported{served: make(map[netip.AddrPort]served)},
	}
	way, reason := d.way(d.layout, b)
	g.carry(d.layout, way, reason)
	if g.dynamic() {
		size = 0
	}
	g.table = slots.New(slots.Options{Size: size, Elastic: g.dynamic(), Wait: b.WaitCheck && g.checked(), Drain: b.DrainTimeout, Hashed: t.Hashes(b), Full: t.FullWeight(b), Places: all})
	return g
}

// agree passes on how the registered instances are to be served.
func (g *group) agree() {
	g.table.SetTerms(g.members.Registered().Terms, g.members.TermsVersion(), g.members.Registers)
}

// see sets the registered instances.
func (g *group) see(now registry.Group, at time.Time) {
	g.counting(func() { g.members.See(now, g.up, at) })
}

// counting calls change, which modifies the list of members, and keeps places up to
// date.
func (g *group) counting(change func()) {
	before := g.registered()
	change()
	if after := g.registered(); !registry.SameList(before, after) {
		g.places.Register(before, after)
	}
}

// registered returns the registered instances.
func (g *group) registered() []registry.Instance { return g.members.Registered().Instances }

// addresses returns the set of the instances' addresses.
func addresses(instances []registry.Instance) map[netip.AddrPort]bool {
	set := make(map[netip.AddrPort]bool, len(instances))
	for _, i := range instances {
		set[i.Addr] = true
	}
	return set
}

// checked reports whether HAProxy health-checks the group's servers.
func (g *group) checked() bool { return slices.Contains(g.backend.Servers.Params, "check") }

// withoutAgentWeight returns a worker's server without a weight set by an agent check,
// which is not an operator's override.
func withoutAgentWeight(actual, known haproxy.Server) haproxy.Server {
	if actual.Agent != haproxy.NoAgent {
		actual.Weight = known.Weight
	}
	return actual
}

// server returns BACKEND/SERVER for the slot at index i.
func (g *group) server(i int) string { return slots.ServerName(g.carrier, i, g.table.Slots[i]) }

// inOrder sorts groups in the order of the rendered file, in which HAProxy takes the
// first match: configured groups in their order, then discovered groups with longer
// names first, so that the ACLs of `web` do not match requests for `web-admin`.
func inOrder(groups []*group) {
	slices.SortStableFunc(groups, func(a, b *group) int {
		switch {
		case a.discovered != b.discovered:
			if a.discovered {
				return 1
			}
			return -1
		case !a.discovered:
			return 0
		}
		return cmp.Or(len(b.backend.Name)-len(a.backend.Name), cmp.Compare(a.backend.Name, b.backend.Name))
	})
}

// freeServers returns how many servers wait for an instance.
func (g *group) freeServers() int {
	if g.dynamic() {
		return 0
	}
	return len(g.table.Slots) - g.table.Used()
}

package hactl

import (
	"slices"
	"strconv"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// emptyFor is how long a deleted group must have had no instance before its backend is
// dropped: a deployment may delete and recreate it.
const emptyFor = 60 * time.Second

// complete reports whether all groups have been read once.
func (d *desired) complete() bool {
	return d.listed && !slices.ContainsFunc(d.groups, func(g *group) bool { return !g.members.Read() })
}

// unlisted reports whether no list of groups is known: none from ZooKeeper, none from
// the cache, and none from a previous HAProxy.
func (d *desired) unlisted() bool {
	return !d.listed && !slices.ContainsFunc(d.groups, func(g *group) bool { return g.discovered && g.members.Read() })
}

// setDiscovered sets the discovered groups. It returns how many need a reload, which adds
// their backends. Names of configured groups are ignored.
func (d *desired) setDiscovered(names []string) (added int) {
	d.listed = true
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	known := make(map[string]*group, len(d.groups))
	var made []*group
	freeSlots := d.freeSlots()
	for _, g := range d.groups {
		known[g.backend.Name] = g
		listed := !g.discovered || there[g.backend.Name]
		if listed && !g.listed && g.state == quarantined {
			g.reset() // recreated
			added++
		}
		if listed && g.retired {
			g.retirement = retirement{} // recreated
			if d.rediscoverWritten(g) {
				added++
			}
		}
		g.listed = listed
		if !g.listed {
			d.see(g, registry.Group{Name: g.backend.Name})
		}
	}
	for _, name := range names {
		if known[name] != nil {
			continue
		}
		b, err := d.backend(name)
		if err != nil {
			d.refuse(name, err)
			continue
		}
		g := d.newDiscovered(b, freeSlots)
		freeSlots = max(0, freeSlots-len(g.table.Slots))
		d.groups, known[name], made = append(d.groups, g), g, append(made, g)
	}
	d.groups = slices.DeleteFunc(d.groups, func(g *group) bool { return g.shadowed && !g.listed }) // HAProxy has no backend for these
	if d.shadow() {
		added++
	}
	for _, g := range made {
		if !g.shadowed && !g.live() {
			added++
		}
	}
	if len(made)+added > 0 {
		inOrder(d.groups)
	}
	return added
}

// rediscoverWritten gives a group that the configuration has lost, and that is discovered
// before its backend is deleted, the settings of discovered groups. It reports whether it had
// others, with which its backend runs until a reload.
func (d *desired) rediscoverWritten(g *group) bool {
	if g.backend.Discovered {
		return false
	}
	b, err := d.backend(g.backend.Name)
	if err == nil {
		d.retune(g, b)
	}
	return true
}

// newDiscovered returns a group with its configured number of slots, but at most room
// and at least one.
func (d *desired) newDiscovered(b haproxy.Backend, freeSlots int) *group {
	g := d.newGroup(b, true, min(b.Servers.Size(), max(1, freeSlots)))
	d.births++
	g.born, g.emptied = d.births, d.opts.clock()
	return g
}

// backend returns the backend of a discovered group. The error says why the name cannot
// be a group.
func (d *desired) backend(name string) (haproxy.Backend, error) {
	b, err := d.layout.Discover(name)
	if err == nil {
		err = d.layout.Template.Validate(d.layout.Frame, []haproxy.Backend{b})
	}
	return b, err
}

// maxRefused bounds the number of remembered names that cannot be groups.
const maxRefused = 1000

// refuse logs a name that cannot be a group, once.
func (d *desired) refuse(name string, why error) {
	if d.refused[name] || len(d.refused) >= maxRefused {
		return
	}
	if d.refused == nil {
		d.refused = make(map[string]bool)
	}
	d.refused[name] = true
	d.opts.Metrics.refused.WithLabelValues(d.opts.Proxy).Inc()
	d.opts.Logger.Warn("discovered name cannot be a group name, not serving it", "name", strconv.QuoteToASCII(name[:min(len(name), 100)]), "reason", why)
}

// retire retires the live groups that have been gone long enough, and reports whether there
// were any; reload is whether there are others, which a reload drops.
func (d *desired) retire() (retired, reload bool) {
	d.retireAt = time.Time{}
	for _, g := range d.groups {
		if !g.gone() || g.retired {
			continue
		}
		switch end := g.emptied.Add(emptyFor); {
		case end.After(d.opts.clock()):
			d.retireAt = earliest(d.retireAt, end)
		case g.live():
			d.retireBackend(g)
			retired = true
		default:
			reload = true
		}
	}
	return retired, reload
}

// gone reports whether a discovered group was deleted and serves nothing, not even
// sticky sessions.
func (g *group) gone() bool {
	return g.discovered && !g.listed && len(g.members.Meant()) == 0 && g.table.Leaving() == 0
}

// dropEmptied drops the discovered groups that have been gone long enough, and reports
// whether there were any.
func (d *desired) dropEmptied() bool {
	before := len(d.groups)
	d.groups = slices.DeleteFunc(d.groups, func(g *group) bool {
		drop := g.gone() && d.opts.clock().Sub(g.emptied) >= emptyFor
		if drop {
			g.table.Assign(nil, d.opts.clock()) // of a group left out of the configuration
			if !g.retired {
				d.opts.Logger.Info("group was deleted, removing its backend", "group", g.backend.Name)
				d.opts.Metrics.groups.forget(d.opts.Proxy, g.backend.Name)
			}
			delete(d.refusals, g.backend.Name)
			delete(d.refusedBackends, g.backend.Name)
		}
		return drop
	})
	if len(d.groups) == before {
		return false
	}
	d.shadow()
	return true
}

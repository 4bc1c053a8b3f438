package hactl

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// resume keeps an HAProxy that is already running: its servers keep their slots, and
// differences are corrected through the stats sockets. It returns false if a reload is
// needed: HAProxy has another shape than the rendition, too few slots, or workers that
// have different instances in a slot. The tables are unchanged then.
func (c *Controller) resume(ctx context.Context, states []haproxy.ServersState) bool {
	if slices.ContainsFunc(states, func(s haproxy.ServersState) bool { return s == nil }) {
		return false // none is running, or a worker does not answer
	}
	groups := c.desired.rendered()
	tables := make([]*slots.Table, len(groups))
	for i, g := range groups {
		if tables[i] = g.resumed(states, c.opts.clock()); tables[i] == nil {
			c.opts.Logger.Debug("the running HAProxy has different servers, reloading it", "group", g.backend.Name)
			return false
		}
	}
	r := rendition{layout: c.desired.layout, groups: groups, tables: tables}
	pids, err := c.opts.Reloader.Adopt(ctx, r.launch(CauseStart))
	if err != nil {
		c.opts.Logger.Info("not adopting a running HAProxy", "reason", err)
		return false
	}
	before := make([]*slots.Table, len(groups))
	for i, g := range groups {
		before[i] = g.setTable(tables[i])
	}
	// Which of the others a worker has, and what of them, is found out when they are added.
	died, err := c.fleet.adoptWorkers(ctx, pids, r.fixed())
	if err == nil {
		err = c.fleet.readAll(ctx)
	}
	if err != nil {
		for i, g := range groups {
			g.setTable(before[i])
		}
		c.fleet.workers = nil
		c.fleet.show()
		c.opts.Logger.Warn("the adopted HAProxy does not answer, reloading it", "error", err)
		return false
	}
	c.desired.remember()
	c.publish()
	c.fleet.awaitRest(c.desired.groups)
	c.opts.Report(registry.Event{Kind: registry.EventReload, Reason: string(CauseStart), Detail: fmt.Sprintf("adopted the running workers %v", pids)})
	c.succeeded(ctx, CauseStart, died)
	return true
}

// readAll reads the servers of every worker, without taking differences for drift or
// for an operator's change.
func (f *fleet) readAll(ctx context.Context) error {
	for _, w := range f.workers {
		all, err := w.differingOfAll(ctx)
		if err != nil {
			return err
		}
		for _, d := range all {
			w.put(d.group, d.slot, d.server)
		}
	}
	return nil
}

// resumed returns a table in which each meant instance has the slot that the running
// HAProxy gave it; nil if there is no such table.
func (g *group) resumed(states []haproxy.ServersState, now time.Time) *slots.Table {
	if g.dynamic() {
		return g.resumedServers(states, now)
	}
	size := len(states[0][g.backend.Name])
	if size < g.backend.Servers.Size() {
		return nil
	}
	have := make([]netip.AddrPort, size)
	for i := range have {
		addr, agreed := g.resumedAddr(i, size, states)
		if !agreed {
			return nil
		}
		have[i] = addr
	}
	g.agree()
	return g.table.Resume(have, func(i int) bool { return g.inServiceAt(i, have[i], states) }, g.members.Meant(), now)
}

// resumedServers is resumed for servers that are added as needed: what some workers lack is
// added to them.
func (g *group) resumedServers(states []haproxy.ServersState, now time.Time) *slots.Table {
	var have []netip.AddrPort
	for _, state := range states {
		servers := state[g.backend.Name]
		if !haproxy.NamedAfterAddresses(servers) {
			return nil
		}
		for _, s := range servers {
			have = append(have, s.Addr)
		}
	}
	slices.SortFunc(have, netip.AddrPort.Compare)
	have = slices.Compact(have)
	inService := func(i int) bool {
		return slices.ContainsFunc(states, func(state haproxy.ServersState) bool {
			s, found := state[g.backend.Name][haproxy.AddressName(have[i])]
			return found && s.Admin == haproxy.Ready
		})
	}
	g.agree()
	return g.table.Resume(have, inService, g.members.Meant(), now)
}

// setTable replaces the group's table and returns the previous one.
func (g *group) setTable(t *slots.Table) (before *slots.Table) {
	before, g.table = g.table, t
	t.Replace(before)
	return before
}

// resumedAddr returns the address that all workers have at a slot, invalid if none has
// one. It returns false if they differ.
func (g *group) resumedAddr(slot, size int, states []haproxy.ServersState) (addr netip.AddrPort, agreed bool) {
	free, _ := netip.ParseAddrPort(g.backend.Servers.Free) // usually with port 0
	for _, state := range states {
		servers := state[g.backend.Name]
		server, found := servers[g.backend.Servers.Name(slot)]
		switch {
		case !found || len(servers) != size:
			return netip.AddrPort{}, false
		case !server.Addr.IsValid() || server.Addr == free:
		case !addr.IsValid():
			addr = server.Addr
		case addr != server.Addr:
			return netip.AddrPort{}, false
		}
	}
	return addr, true
}

// inServiceAt reports whether a worker has an address in service at a slot.
func (g *group) inServiceAt(slot int, addr netip.AddrPort, states []haproxy.ServersState) bool {
	return slices.ContainsFunc(states, func(state haproxy.ServersState) bool {
		server := state[g.backend.Name][g.backend.Servers.Name(slot)]
		return server.Addr == addr && server.Admin == haproxy.Ready
	})
}

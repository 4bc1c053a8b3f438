package hactl

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// takeOver reads which servers of a running HAProxy, left by a previous daemon, have
// operators' overrides and which are down: the workers replacing it do not know. If
// none is running there is nothing to read.
//
// HAProxy does not say what took a server out of service. Servers taken out by a daemon
// have weight 0; any other state of a registered instance's server is an operator's
// override.
//
// It returns the state read from each socket, nil if it could not be read.
func (c *Controller) takeOver(ctx context.Context) []haproxy.ServersState {
	states, hang := make([]haproxy.ServersState, len(c.desired.layout.Frame.Sockets)), make([]bool, len(c.desired.layout.Frame.Sockets))
	var asking sync.WaitGroup
	for i, socket := range c.desired.layout.Frame.Sockets {
		asking.Go(func() {
			replies, err := haproxy.Client{Path: socket, Timeout: c.opts.Timeout}.Ask(ctx, "show servers state")
			if err == nil {
				states[i], err = haproxy.ParseServersState(replies[0])
			}
			if err != nil {
				hang[i] = !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ECONNREFUSED)
				c.opts.Logger.Debug("cannot read the state of an HAProxy that may be running", "socket", socket, "error", err)
			}
		})
	}
	asking.Wait()
	// Commands of the previous daemon may still wait on the socket of a hung worker.
	c.fleet.unread = late{all: slices.Contains(hang, true)}
	c.desired.takenOver = recollect(states)
	c.desired.rediscover(states)
	for _, g := range c.desired.groups {
		if _, runs := c.desired.takenOver[g.backend.Name]; runs {
			g.found()
		}
		if free, err := netip.ParseAddrPort(g.backend.Servers.Free); err == nil {
			delete(c.desired.takenOver[g.backend.Name], free)
		}
	}
	c.desired.shadow()
	c.publish()
	return states
}

// rediscover keeps the discovered groups of the running HAProxy until ZooKeeper has
// listed the groups: without its backend a group's requests would be routed elsewhere.
// HAProxy does not say which backends belong to discovered groups: those whose servers
// have our names and that are not configured. Once it has listed them, only those are kept
// whose backends are deleted at run time.
func (d *desired) rediscover(states []haproxy.ServersState) {
	if d.layout.Discover == nil {
		return
	}
	deleted := d.listed && !d.older
	known := make(map[string]bool)
	for _, g := range d.groups {
		known[g.backend.Name] = true
	}
	found := 0
	for _, state := range states {
		for name, servers := range state {
			if known[name] {
				continue
			}
			known[name] = true
			b, err := d.backend(name)
			if err != nil || !b.Servers.NamesAll(servers) && !haproxy.NamedAfterAddresses(servers) {
				continue
			}
			if way, _ := d.way(d.layout, b); deleted && way != haproxy.CarryBackends {
				continue
			}
			g := d.newDiscovered(b, d.freeSlots())
			g.listed = !deleted
			g.see(registry.Group{Name: name, Recalled: !deleted}, d.opts.clock()) // retain adds the instances
			d.groups = append(d.groups, g)
			if !deleted {
				found++
			}
		}
	}
	inOrder(d.groups)
	if found > 0 {
		d.opts.Logger.Info("keeping backends of the running HAProxy until ZooKeeper lists the groups", "groups", found)
	}
}

// deferEmptied holds back empty lists of groups that the running HAProxy serves: the
// groups may have been lost, and held, while no daemon was running. It returns these
// lists, to be applied once HAProxy serves, like any other loss.
func (d *desired) deferEmptied() map[*group]registry.Group {
	deferred := make(map[*group]registry.Group)
	for _, g := range d.groups {
		if seen := g.members.Registered(); g.members.Read() && !seen.Recalled && len(seen.Instances) == 0 && len(d.takenOver[g.backend.Name]) > 0 && g.checked() {
			deferred[g] = seen
			g.counting(func() { g.members.Restore(registry.Group{Name: g.backend.Name, Recalled: true}) })
		}
	}
	return deferred
}

// retain keeps the instances that the running HAProxy serves in groups that ZooKeeper
// has not listed yet: it knew all registered and held instances until the previous
// daemon ended, while the cached list may be older. It reports whether that changes
// anything.
func (d *desired) retain() (changed bool) {
	for _, g := range d.groups {
		servers, runs := d.takenOver[g.backend.Name]
		if !runs || g.members.Read() && !g.members.Registered().Recalled || !g.members.Read() && len(servers) == 0 {
			continue
		}
		var serving []registry.Instance
		for addr := range servers {
			serving = append(serving, registry.Instance{Addr: addr})
		}
		kept := g.registered()
		if serving = registry.Sort(serving); !slices.Equal(kept, serving) {
			now := g.members.Registered()
			now.Instances, now.Recalled = serving, true
			g.counting(func() { g.members.Restore(now) })
			changed = true
			d.opts.Logger.Info("keeping instances of the running HAProxy until ZooKeeper lists the group", "group", g.backend.Name, "known", len(kept), "instances", len(serving))
		}
	}
	return changed
}

// recollect merges the servers of all workers, by backend and address.
func recollect(states []haproxy.ServersState) map[string]map[netip.AddrPort]slots.Slot {
	all := make(map[string]map[netip.AddrPort]slots.Slot)
	for _, state := range states {
		for backend, servers := range state {
			if all[backend] == nil {
				all[backend] = make(map[netip.AddrPort]slots.Slot)
			}
			for _, server := range servers {
				ours := server.Admin != haproxy.Ready && server.Weight == haproxy.NoWeight
				if !server.Addr.IsValid() || ours {
					continue
				}
				slot, known := all[backend][server.Addr]
				slot.Down = server.Down && server.Admin == haproxy.Ready && (!known || slot.Down)
				// An operator's change on one worker had not reached the others.
				if server.Admin != haproxy.Ready && slot.Operator == "" {
					slot.Operator = server.Admin
				}
				if server.Weight != 0 && slot.Weight == 0 && server.Agent == haproxy.NoAgent {
					slot.Weight = server.Weight
				}
				slot.ByAgent = slot.ByAgent || server.Agent == haproxy.AgentOn
				slot.AgentOff = slot.AgentOff || server.Agent == haproxy.AgentOff
				all[backend][server.Addr] = slot
			}
		}
	}
	return all
}

// remember restores what was taken over for groups that were read for the first time,
// and reports whether operators had overridden any server.
func (d *desired) remember() (changed bool) {
	if d.takenOver == nil {
		return false
	}
	for _, g := range d.groups {
		servers := d.takenOver[g.backend.Name]
		if servers == nil || !g.members.Read() {
			continue
		}
		delete(d.takenOver, g.backend.Name)
		for i := range g.table.Slots {
			s := &g.table.Slots[i]
			before, known := servers[s.Addr]
			if !s.Used || !known {
				continue
			}
			if instance := (registry.Instance{Addr: s.Addr}); g.table.Ours(before.Weight, g.members.Registered().Earlier[instance]) {
				before.Weight = 0
			}
			if g.table.Restore(i, before, before.Down && g.checked()) {
				g.touched, changed = true, true
				d.opts.Logger.Info("server state was changed outside haproxy-zk before the restart, keeping it", "by", s.ChangedBy(), "server", g.server(i), "state", s.Override())
			}
		}
	}
	if d.complete() {
		d.takenOver = nil
	}
	return changed
}

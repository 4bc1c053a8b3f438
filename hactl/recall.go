package hactl

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// recall finds out what operators have made of the servers of an HAProxy that
// runs already, which another process of ours left, and which of them are dead
// for it: the workers that take its place know nothing. Where none runs there
// is nothing to find.
//
// HAProxy does not tell who took a server out. Those that we took out have no
// weight; any other state of a server whose instance is registered is an
// operator's.
func (c *Controller) recall(ctx context.Context) {
	states, hang := make([]ServersState, len(c.Frame.Sockets)), make([]bool, len(c.Frame.Sockets))
	var asking sync.WaitGroup
	for i, socket := range c.Frame.Sockets {
		asking.Go(func() {
			replies, err := Client{Path: socket, Timeout: c.Timeout}.Ask(ctx, "show servers state")
			if err == nil {
				states[i], err = ParseServersState(replies[0])
			}
			if err != nil {
				hang[i] = !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ECONNREFUSED)
				c.Logger.Debug("nothing is known of an HAProxy that might run already", "socket", socket, "error", err)
			}
		})
	}
	asking.Wait()
	// What the process before asked of one that hangs waits on its socket.
	c.unread = late{all: slices.Contains(hang, true)}
	c.recalled = recollect(states)
	c.rediscover(states)
	for _, g := range c.groups {
		_, g.ran = c.recalled[g.backend.Name]
		if free, err := netip.ParseAddrPort(g.backend.Servers.Free); err == nil {
			delete(c.recalled[g.backend.Name], free)
		}
	}
}

// rediscover keeps the discovered groups of the HAProxy that runs while ZooKeeper
// has not told which there are: without its backend a group's requests would go
// elsewhere. HAProxy does not tell which of its backends are such groups': those
// whose servers are called as ours are, and that nobody wrote out.
func (c *Controller) rediscover(states []ServersState) {
	if c.Discover == nil || c.listed && !c.older {
		return
	}
	known := make(map[string]bool)
	for _, g := range c.groups {
		known[g.backend.Name] = true
	}
	found := 0
	for _, state := range states {
		for name, servers := range state {
			if known[name] {
				continue
			}
			known[name] = true
			b, err := c.backend(name)
			if err != nil || !b.Servers.nameAll(servers) {
				continue
			}
			g := newGroup(b, true)
			g.see(registry.Group{Name: name, Recalled: true}, time.Now()) // retain adds who serves
			c.groups = append(c.groups, g)
			found++
		}
	}
	if found > 0 {
		arrange(c.groups)
		c.Logger.Info("HAProxy has groups that are not known, they serve until zookeeper tells", "groups", found)
	}
}

// doubt puts off that groups are empty whom the HAProxy that runs serves: they may
// have been lost, and held, while no daemon ran. It returns what ZooKeeper told of
// them, to be taken in once HAProxy serves, as any other loss.
func (c *Controller) doubt() map[*group]registry.Group {
	told := make(map[*group]registry.Group)
	for _, g := range c.groups {
		if g.filled && !g.seen.Recalled && len(g.seen.Instances) == 0 && len(c.recalled[g.backend.Name]) > 0 && g.checked() {
			told[g] = g.seen
			g.seen = registry.Group{Name: g.backend.Name, Recalled: true}
		}
	}
	return told
}

// retain lets those serve on, of groups that ZooKeeper has not told yet, whom the
// HAProxy has that runs already: it knew all that was registered until the process
// before ended, and who was held. What was kept of a group may be older. It
// tells whether that is anything else.
func (c *Controller) retain() (changed bool) {
	for _, g := range c.groups {
		servers, runs := c.recalled[g.backend.Name]
		if !runs || g.filled && !g.seen.Recalled || !g.filled && len(servers) == 0 {
			continue
		}
		var serving []registry.Instance
		for addr := range servers {
			serving = append(serving, registry.Instance{Addr: addr})
		}
		kept := g.seen.Instances
		if serving = registry.Sort(serving); !slices.Equal(kept, serving) {
			g.seen.Instances, g.seen.Recalled, g.filled, changed = serving, true, true, true
			c.Logger.Info("HAProxy has other instances than are known, they serve until zookeeper tells", "group", g.backend.Name, "known", len(kept), "instances", len(serving))
		}
	}
	return changed
}

// recollect puts together what workers say, by backend and address.
func recollect(states []ServersState) map[string]map[netip.AddrPort]Slot {
	all := make(map[string]map[netip.AddrPort]Slot)
	for _, state := range states {
		for backend, servers := range state {
			if all[backend] == nil {
				all[backend] = make(map[netip.AddrPort]Slot)
			}
			for _, server := range servers {
				ours := server.Admin != Ready && server.Weight == NoWeight
				if !server.Addr.IsValid() || ours {
					continue
				}
				slot, known := all[backend][server.Addr]
				slot.Down = server.Down && server.Admin == Ready && (!known || slot.Down)
				// What an operator did on one worker had not reached all.
				if server.Admin != Ready && slot.Operator == "" {
					slot.Operator = server.Admin
				}
				if server.Weight != 0 && slot.Weight == 0 {
					slot.Weight = server.Weight
				}
				all[backend][server.Addr] = slot
			}
		}
	}
	return all
}

// remember gives the slots of groups that were read for the first time what was
// recalled of their instances.
func (c *Controller) remember() {
	if c.recalled == nil {
		return
	}
	changed := false
	for _, g := range c.groups {
		servers := c.recalled[g.backend.Name]
		if servers == nil || !g.filled {
			continue
		}
		delete(c.recalled, g.backend.Name)
		for i := range g.table.Slots {
			s := &g.table.Slots[i]
			before, known := servers[s.Addr]
			if !s.Used || !known {
				continue
			}
			s.Down = s.Down || before.Down && g.checked()
			s.Operator, s.Weight = before.Operator, g.heed(Server{Weight: before.Weight}, Server{}).Weight
			if text := s.operator(); text != "" {
				g.touched, changed = true, true
				c.Logger.Info("an operator changed a server before, it stays so", "server", g.server(i), "state", text)
			}
		}
	}
	if c.complete() {
		c.recalled = nil
	}
	if changed {
		c.publish()
	}
}

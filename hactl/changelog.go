package hactl

import (
	"cmp"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// At most changesLogged changes within changesWithin are logged individually; the rest
// are logged as a sum at the end of that period.
const (
	changesLogged = 20
	changesWithin = time.Second
)

// served is the last logged state of an instance that has a server.
type served struct {
	slot  int
	admin haproxy.Admin
	by    string // set if an operator or an agent check changed it
}

// change is a change of one instance.
type change struct {
	served
	instance registry.Instance
	reason   string
}

// changeLog limits how many changes of instances are logged individually.
type changeLog struct {
	opts   *Options
	ends   time.Time // end of the current period
	logged int
	// starting is true until the first changes after a start beside no HAProxy that had
	// instances were reported; started counts them.
	starting bool
	started  int
	// Changes not logged individually.
	entered, drained, removed int
}

// due returns when the next sum is to be logged; zero means never.
func (l *changeLog) due() time.Time {
	if l.entered+l.drained+l.removed == 0 {
		return time.Time{}
	}
	return l.ends
}

// log logs which instances of the groups were put into service, drained or removed
// since the last call. Every worker must be up to date with the tables.
func (l *changeLog) log(groups []*group) {
	now := l.opts.clock()
	for _, g := range groups {
		if of := (loggedOf{g.table, g.table.Version(), g.running}); g.loggedOf != of {
			g.loggedOf = of
			for _, ch := range g.changes() {
				l.one(g, ch, now)
			}
		}
		if len(g.table.Slots) <= g.running {
			g.heard = time.Time{}
		}
	}
	l.reportStart()
}

// loggedOf is the version of a group whose changes have been logged.
type loggedOf struct {
	table   *slots.Table
	version uint64
	running int
}

// changes returns the changes of the group's instances since the last call and records
// them as logged. They are ordered by server, with removed instances last.
func (g *group) changes() (changes []change) {
	running, placed := g.table.Slots[:min(g.running, len(g.table.Slots))], 0
	for i := range running {
		s := &running[i]
		if !s.Placed() {
			continue
		}
		placed++
		before, known := g.served[s.Addr]
		now := served{slot: i, admin: s.Admin()}
		if s.Operator != "" {
			now.by = s.ChangedBy()
		}
		if before == now && known {
			continue
		}
		g.served[s.Addr] = now
		if !known && now.admin != haproxy.Maint || known && before.admin != now.admin {
			instance := registry.Instance{Addr: s.Addr}
			changes = append(changes, change{now, instance, g.reason(instance, before, now)})
		}
	}
	if len(g.served) == placed {
		return changes
	}
	entered := len(changes)
	for addr, before := range g.served {
		if at, known := g.table.At(addr); known && at < len(running) && running[at].Placed() {
			continue
		}
		delete(g.served, addr)
		if before.admin != haproxy.Maint {
			instance, now := registry.Instance{Addr: addr}, served{slot: before.slot, admin: haproxy.Maint}
			changes = append(changes, change{now, instance, g.reason(instance, before, now)})
		}
	}
	slices.SortFunc(changes[entered:], func(a, b change) int { return cmp.Compare(a.slot, b.slot) })
	return changes
}

// reason returns why the state of an instance changed.
func (g *group) reason(i registry.Instance, before, now served) string {
	registered := g.members.Registers(i)
	switch {
	case now.by != "":
		return now.by
	case before.by != "" && registered:
		return before.by
	case registered && now.admin == haproxy.Ready:
		return "registered"
	case now.admin == haproxy.Ready:
		return "held"
	case registered && now.admin == haproxy.Drain:
		return "registered to drain"
	case !registered && before.admin == haproxy.Drain && before.by == "":
		return "drained"
	case !registered:
		return "deregistered"
	case g.members.Damps(i):
		return "flapping"
	}
	return "in another group"
}

// one reports one change and logs it, or counts it if too many were logged.
func (l *changeLog) one(g *group, ch change, now time.Time) {
	l.report(g, ch)
	if !now.Before(l.ends) {
		l.sum()
		l.ends, l.logged = now.Add(changesWithin), 0
	}
	if l.logged == changesLogged {
		l.count(ch)
		return
	}
	l.logged++
	log := l.opts.Logger.With("group", g.backend.Name, "instance", ch.instance.String(), "server", g.carrier.Name(ch.slot, slots.Slot{Addr: ch.instance.Addr}), "reason", ch.reason)
	if !g.heard.IsZero() && (ch.reason == "registered" || ch.reason == "deregistered") {
		log = log.With("took", now.Sub(g.heard))
	}
	switch ch.admin {
	case haproxy.Ready:
		log.Info("instance put into service")
	case haproxy.Drain:
		log.Info("instance draining")
	case haproxy.Maint:
		log.Info("instance removed from service")
	}
}

// count counts a change that is not logged individually.
func (l *changeLog) count(ch change) {
	switch ch.admin {
	case haproxy.Ready:
		l.entered++
	case haproxy.Drain:
		l.drained++
	case haproxy.Maint:
		l.removed++
	}
}

// gone logs that the instances of a removed group left with it.
func (l *changeLog) gone(g *group) {
	for addr, before := range g.served {
		if before.admin != haproxy.Maint {
			l.one(g, change{served{slot: before.slot, admin: haproxy.Maint}, registry.Instance{Addr: addr}, "group removed"}, l.opts.clock())
		}
	}
}

// sum logs the sum of the changes that were not logged individually.
func (l *changeLog) sum() {
	if !l.due().IsZero() {
		l.opts.Logger.Info("more instances changed, not logged one by one", "put_into_service", l.entered, "draining", l.drained, "removed", l.removed)
		l.entered, l.drained, l.removed = 0, 0, 0
	}
}

// servedBefore records the instances of a previous HAProxy's worker as logged. It
// reports whether there are any.
func (d *desired) servedBefore(states []haproxy.ServersState) (found bool) {
	i := slices.IndexFunc(states, func(s haproxy.ServersState) bool { return s != nil })
	if i < 0 {
		return false
	}
	for _, g := range d.groups {
		servers := states[i][g.backend.Name]
		if g.dynamic() {
			for _, has := range servers {
				if has.Addr.IsValid() && has.Admin != haproxy.Maint {
					g.served[has.Addr], found = served{admin: has.Admin}, true
				}
			}
			continue
		}
		for slot := range len(servers) {
			if has := servers[g.backend.Servers.Name(slot)]; has.Addr.IsValid() && has.Admin != haproxy.Maint {
				g.served[has.Addr] = served{slot: slot, admin: has.Admin}
				found = true
			}
		}
	}
	return found
}

package hactl

import (
	"github.com/haproxy-zk/haproxy-zk/hactl/membership"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// facts implements [membership.Facts] for one group.
type facts struct {
	*group
	// serving is true once HAProxy serves: before that, the order in which groups are
	// read means nothing.
	serving bool
}

func (f *facts) Guarded() bool { return f.serving && !f.leftOut() && f.checked() }

func (f *facts) InService(i registry.Instance) bool { return f.inService(i) }

func (f *facts) Up(i registry.Instance) bool { return f.up(i) }

func (f *facts) Traffic(i registry.Instance) membership.Traffic {
	at, known := f.table.At(i.Addr)
	switch {
	case known && at >= f.running:
		return membership.Idle // waits for a reload
	case known && f.table.Slots[at].Used:
		if s := f.table.Slots[at]; !s.Down && s.TakesTraffic() {
			return membership.Serving
		}
		return membership.Idle
	case f.table.Waits():
		return membership.Idle
	case known:
		return membership.Returning
	}
	return membership.Entering
}

func (f *facts) Untested(i registry.Instance) bool {
	at, known := f.table.At(i.Addr)
	return !known || at >= f.running || !f.table.Slots[at].Used || f.table.Slots[at].Unchecked()
}

func (f *facts) Elsewhere(i registry.Instance) bool {
	if !f.serving {
		return false
	}
	in := f.places[i.Addr].Registered
	return in > 1 || in == 1 && !f.members.Registers(i)
}

func (f *facts) FreeServers() int {
	if f.dynamic() {
		return haproxy.MaxSlots
	}
	return f.table.AtRest(f.running)
}

// inService reports whether an instance occupies a slot.
func (g *group) inService(i registry.Instance) bool { return g.table.Find(i) != nil }

// up reports whether an instance is in service and was up when its health was last
// read.
func (g *group) up(i registry.Instance) bool {
	s := g.table.Find(i)
	return s != nil && !s.Down && s.Operator != haproxy.Maint
}

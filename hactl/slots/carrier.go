package slots

import (
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// Carrier is a way to make the slots of a table servers of HAProxy. What is desired, a
// table, does not depend on it.
type Carrier interface {
	// Way names the carrier.
	Way() haproxy.Carry
	// Backend is the name of the servers' backend.
	Backend() string
	// Name returns the name of the server of a slot at index i.
	Name(i int, s Slot) string
	// Find returns the slot whose server has a name; false if there is none.
	Find(t *Table, name []byte) (i int, found bool)
	// Add returns the commands that add the server of a slot to a worker that lacks it, and
	// the server then. Without commands only a reload can.
	Add(s Slot) ([]haproxy.Command, haproxy.Server)
	// Rows returns how the table is rendered.
	Rows(t *Table) []haproxy.Row
	// Started returns the servers of a worker that was just started from the table, by slot.
	// agent is the state of their agent checks.
	Started(t *Table, agent haproxy.Agent) []haproxy.Server
}

// ServerName returns the name of a slot's server in commands: BACKEND/SERVER.
func ServerName(c Carrier, i int, s Slot) string { return c.Backend() + "/" + c.Name(i, s) }

// started returns the server of a slot in a worker that was started with its row.
func started(row haproxy.Row, agent haproxy.Agent) haproxy.Server {
	server := haproxy.Server{Addr: row.Addr, Admin: haproxy.Maint, Agent: agent}
	if row.Addr.IsValid() && !row.Disabled {
		server.Admin = haproxy.Ready
	}
	return server
}

// fixed carries a table by servers that exist whether an instance has them or not.
type fixed struct{ backend *haproxy.Backend }

// Fixed returns the carrier of servers that are rendered ahead of need, one for each slot.
func Fixed(b *haproxy.Backend) Carrier { return fixed{b} }

func (f fixed) Way() haproxy.Carry { return haproxy.CarrySlots }

func (f fixed) Backend() string { return f.backend.Name }

func (f fixed) Name(i int, _ Slot) string { return f.backend.Servers.Name(i) }

func (f fixed) Find(_ *Table, name []byte) (i int, found bool) { return f.backend.Servers.Slot(name) }

func (f fixed) Add(Slot) ([]haproxy.Command, haproxy.Server) { return nil, haproxy.Server{} }

func (f fixed) Rows(t *Table) []haproxy.Row {
	rows := make([]haproxy.Row, len(t.Slots))
	for i, s := range t.Slots {
		rows[i] = s.Row()
	}
	return rows
}

func (f fixed) Started(t *Table, agent haproxy.Agent) []haproxy.Server {
	servers := make([]haproxy.Server, len(t.Slots))
	for i, s := range t.Slots {
		servers[i] = started(s.Row(), agent)
	}
	return servers
}

// dynamic carries a table by servers that are added for instances and deleted after them.
type dynamic struct {
	name    string
	servers haproxy.DynamicServers
	way     haproxy.Carry
}

// Dynamic returns the carrier of servers that are named after their addresses, and that
// exist only while an instance has them or rests before its deletion. Its tables must be
// [Options.Elastic]. way is [haproxy.CarryServers], or [haproxy.CarryBackends] if their
// backend comes and goes too.
func Dynamic(b *haproxy.Backend, servers haproxy.DynamicServers, way haproxy.Carry) Carrier {
	return dynamic{b.Name, servers, way}
}

func (d dynamic) Way() haproxy.Carry { return d.way }

func (d dynamic) Backend() string { return d.name }

func (d dynamic) Name(_ int, s Slot) string { return haproxy.AddressName(s.Addr) }

func (d dynamic) Find(t *Table, name []byte) (i int, found bool) {
	addr, named := haproxy.ParseAddressName(name)
	if !named {
		return 0, false
	}
	return t.At(addr)
}

func (d dynamic) Add(s Slot) ([]haproxy.Command, haproxy.Server) {
	return d.servers.Add(s.Addr), haproxy.Server{Addr: s.Addr, Admin: haproxy.Maint, Agent: d.servers.Agent}
}

func (d dynamic) Rows(t *Table) []haproxy.Row {
	rows := make([]haproxy.Row, 0, t.Used())
	for _, s := range t.Slots {
		if row := s.Row(); row.Addr.IsValid() {
			row.Named = true
			rows = append(rows, row)
		}
	}
	return rows
}

func (d dynamic) Started(t *Table, agent haproxy.Agent) []haproxy.Server {
	servers := make([]haproxy.Server, len(t.Slots))
	for i, s := range t.Slots {
		if row := s.Row(); row.Addr.IsValid() {
			servers[i] = started(row, agent)
		} else {
			servers[i].Absent = true
		}
	}
	return servers
}

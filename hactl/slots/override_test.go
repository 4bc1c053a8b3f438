package slots

import (
	"testing"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func TestOverrideLastsUntilOperatorEndsIt(t *testing.T) {
	table := New(Options{Size: 1})
	table.Assign(instances(1), now)
	for _, step := range []struct {
		what, want string
		server     haproxy.Server
	}{
		{"drain", "drain", haproxy.Server{Addr: addr1, Admin: haproxy.Drain}},
		{"a weight", "weight 7", haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Weight: 7}},
		{"no agent check", "maint agent disabled", haproxy.Server{Addr: addr1, Admin: haproxy.Maint, Agent: haproxy.AgentOff}},
		{"ready", "", haproxy.Server{Addr: addr1, Admin: haproxy.Ready}},
	} {
		version := table.Version()
		table.Override(0, step.server)
		same(t, step.what, step.want, table.Slots[0].Override())
		same(t, step.what+": the table has changed", true, table.Version() != version)
	}
	table.Override(0, haproxy.Server{Addr: addr1, Admin: haproxy.Drain, Agent: haproxy.AgentOn})
	same(t, "changed by", "agent check or operator", table.Slots[0].ChangedBy())
}

func TestFirstHealthyCheckEndsWaiting(t *testing.T) {
	table := New(Options{Size: 1, Wait: true})
	table.Assign(instances(1), now)
	table.SetHealth(0, true)
	same(t, "unchecked while it is down", true, table.Slots[0].Unchecked())
	table.SetHealth(0, false)
	same(t, "down", false, table.Slots[0].Down)
	table.SetHealth(0, true)
	same(t, "unchecked once it was up", false, table.Slots[0].Unchecked())
}

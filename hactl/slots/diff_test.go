package slots

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func commands(operations []Operation) []string {
	var out []string
	for _, op := range operations {
		for _, c := range op.Commands {
			out = append(out, c.String())
		}
	}
	return out
}

func TestDiff(t *testing.T) {
	for _, test := range []struct {
		name    string
		want    Slot
		have    haproxy.Server
		off, on []string
	}{
		{"free and out of service", Slot{}, haproxy.Server{Admin: haproxy.Maint}, nil, nil},
		{"an instance leaves", Slot{Addr: addr1}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready}, []string{"set server web/web1 state maint", "set server web/web1 weight 0%"}, nil},
		{"a free slot drains", Slot{}, haproxy.Server{Admin: haproxy.Drain}, []string{"set server web/web1 state maint", "set server web/web1 weight 0%"}, nil},
		{
			"an instance enters",
			Slot{Addr: addr1, Used: true},
			haproxy.Server{Admin: haproxy.Maint},
			nil,
			[]string{"set server web/web1 addr 10.0.0.1 port 80", "set server web/web1 state ready"},
		},
		{
			"it enters and waits for its check",
			Slot{Addr: addr1, Used: true, Down: true},
			haproxy.Server{Admin: haproxy.Maint},
			nil,
			[]string{"set server web/web1 addr 10.0.0.1 port 80", "set server web/web1 state ready", "set server web/web1 health down"},
		},
		{
			"it returns to its slot",
			Slot{Addr: addr1, Used: true},
			haproxy.Server{Addr: addr1, Admin: haproxy.Maint},
			nil,
			[]string{"set server web/web1 state ready"},
		},
		{"it serves", Slot{Addr: addr1, Used: true}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready}, nil, nil},
		{
			"another address serves",
			Slot{Addr: addr2, Used: true},
			haproxy.Server{Addr: addr1, Admin: haproxy.Ready},
			[]string{"set server web/web1 state maint"},
			[]string{"set server web/web1 addr 10.0.0.2 port 80", "set server web/web1 state ready"},
		},
		{"an operator drains it", Slot{Addr: addr1, Used: true, Operator: haproxy.Drain}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready}, []string{"set server web/web1 state drain"}, nil},
		{"it is as the operator wants", Slot{Addr: addr1, Used: true, Operator: haproxy.Maint}, haproxy.Server{Addr: addr1, Admin: haproxy.Maint}, nil, nil},
		{
			"an operator's server has another address",
			Slot{Addr: addr1, Used: true, Operator: haproxy.Drain},
			haproxy.Server{Admin: haproxy.Maint},
			nil,
			[]string{"set server web/web1 addr 10.0.0.1 port 80", "set server web/web1 state drain"},
		},
		{
			"an instance enters a slot that another has left",
			Slot{Addr: addr2, Used: true},
			haproxy.Server{Addr: addr1, Admin: haproxy.Maint, Weight: haproxy.NoWeight},
			nil,
			[]string{"set server web/web1 addr 10.0.0.2 port 80", "set server web/web1 weight 100%", "set server web/web1 state ready"},
		},
		{"an operator gives it a weight", Slot{Addr: addr1, Used: true, Weight: 7}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready}, []string{"set server web/web1 weight 7"}, nil},
		{"an operator takes its weight back", Slot{Addr: addr1, Used: true}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Weight: 7, Down: true}, []string{"set server web/web1 weight 100%"}, nil},
		{
			"an operator drains it and gives it a weight",
			Slot{Addr: addr1, Used: true, Operator: haproxy.Drain, Weight: 7},
			haproxy.Server{Addr: addr1, Admin: haproxy.Ready},
			[]string{"set server web/web1 state drain", "set server web/web1 weight 7"},
			nil,
		},
		{
			"an operator has made it ready again",
			Slot{Addr: addr1, Used: true, Weight: 7},
			haproxy.Server{Addr: addr1, Admin: haproxy.Drain, Weight: 7},
			nil,
			[]string{"set server web/web1 state ready"},
		},
		{
			"an instance leaves whose agent would end maintenance",
			Slot{Addr: addr1},
			haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Agent: haproxy.AgentOn},
			[]string{"disable agent web/web1", "set server web/web1 state maint", "set server web/web1 weight 0%"},
			nil,
		},
		{"a free slot with an agent check", Slot{}, haproxy.Server{Admin: haproxy.Maint, Agent: haproxy.AgentOn}, []string{"disable agent web/web1", "set server web/web1 state maint", "set server web/web1 weight 0%"}, nil},
		{
			"an instance enters, and its agent",
			Slot{Addr: addr1, Used: true},
			haproxy.Server{Addr: addr2, Admin: haproxy.Maint, Weight: haproxy.NoWeight, Agent: haproxy.AgentOff},
			nil,
			[]string{"set server web/web1 addr 10.0.0.1 port 80", "enable agent web/web1", "set server web/web1 agent up", "set server web/web1 weight 100%", "set server web/web1 state ready"},
		},
		{
			"another instance takes its place",
			Slot{Addr: addr1, Used: true},
			haproxy.Server{Addr: addr2, Admin: haproxy.Ready, Agent: haproxy.AgentOn},
			[]string{"disable agent web/web1", "set server web/web1 state maint"},
			[]string{"set server web/web1 addr 10.0.0.1 port 80", "enable agent web/web1", "set server web/web1 agent up", "set server web/web1 state ready"},
		},
		{
			"an operator disables its agent",
			Slot{Addr: addr1, Used: true, AgentOff: true},
			haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Agent: haproxy.AgentOn},
			[]string{"disable agent web/web1"},
			nil,
		},
		{
			"its agent no longer ends draining",
			Slot{Addr: addr1, until: later},
			haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Agent: haproxy.AgentOn},
			[]string{"disable agent web/web1", "set server web/web1 state drain", "set server web/web1 weight 0%"},
			nil,
		},
		{"it leaves and keeps its sessions", Slot{Addr: addr1, until: later}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Weight: 7}, []string{"set server web/web1 state drain", "set server web/web1 weight 0%"}, nil},
		{"its sessions remain", Slot{Addr: addr1, until: later}, haproxy.Server{Addr: addr1, Admin: haproxy.Drain, Weight: haproxy.NoWeight}, nil, nil},
		{"an operator had drained it", Slot{Addr: addr1, until: later}, haproxy.Server{Addr: addr1, Admin: haproxy.Drain}, []string{"set server web/web1 weight 0%"}, nil},
		{"an operator had taken it out", Slot{Addr: addr1}, haproxy.Server{Addr: addr1, Admin: haproxy.Maint}, []string{"set server web/web1 state maint", "set server web/web1 weight 0%"}, nil},
		{"they have ended", Slot{Addr: addr1}, haproxy.Server{Addr: addr1, Admin: haproxy.Drain, Weight: 7}, []string{"set server web/web1 state maint", "set server web/web1 weight 0%"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			off, on := Diff(Fixed(testBackend()), []Slot{test.want}, []haproxy.Server{test.have})
			if d := cmp.Diff(test.off, commands(off)); d != "" {
				t.Errorf("off: -want +got\n%s", d)
			}
			if d := cmp.Diff(test.on, commands(on)); d != "" {
				t.Errorf("on: -want +got\n%s", d)
			}
			have := test.have
			for _, op := range append(off, on...) {
				have = op.After
			}
			if off, on = Diff(Fixed(testBackend()), []Slot{test.want}, []haproxy.Server{have}); len(off)+len(on) > 0 {
				t.Errorf("once carried out, still wanted: %v %v", commands(off), commands(on))
			}
		})
	}
}

func TestDiffSkipsSlotsMissingInTheWorker(t *testing.T) {
	off, on := Diff(Fixed(testBackend()), []Slot{{}, {Addr: addr1, Used: true}}, []haproxy.Server{{Admin: haproxy.Maint}})
	if len(off)+len(on) > 0 {
		t.Errorf("commands for a server that is not there: %v %v", commands(off), commands(on))
	}
}

func TestSequenceNeverEmptiesAGroupOrSharesAnAddress(t *testing.T) {
	other := testBackend()
	other.Name = "app"
	var off, on []Operation
	for _, step := range []struct {
		backend *haproxy.Backend
		want    []Slot
		have    []haproxy.Server
	}{
		// 10.0.0.1 leaves web for app, 10.0.0.2 is replaced by 10.0.0.3.
		{testBackend(), []Slot{{Addr: addr1}, {Addr: addr2}, {Addr: addr3, Used: true}}, []haproxy.Server{{Addr: addr1, Admin: haproxy.Ready}, {Addr: addr2, Admin: haproxy.Ready}, {Admin: haproxy.Maint}}},
		{other, []Slot{{Addr: addr1, Used: true}}, []haproxy.Server{{Admin: haproxy.Maint}}},
	} {
		o, n := Diff(Fixed(step.backend), step.want, step.have)
		off, on = append(off, o...), append(on, n...)
	}
	want := []string{
		"set server web/web1 state maint", "set server web/web1 weight 0%",
		"set server web/web3 addr 10.0.0.3 port 80", "set server web/web3 state ready",
		"set server app/web1 addr 10.0.0.1 port 80", "set server app/web1 state ready",
		"set server web/web2 state maint", "set server web/web2 weight 0%",
	}
	if d := cmp.Diff(want, commands(Sequence(off, on))); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func BenchmarkDiff(b *testing.B) {
	table, backend := New(Options{Size: 20000}), testBackend()
	var have []haproxy.Server
	for i := range table.Slots {
		table.Slots[i] = Slot{Addr: addr1, Used: true}
		have = append(have, haproxy.Server{Addr: addr1, Admin: haproxy.Ready})
	}
	have[12345].Admin = haproxy.Maint
	for b.Loop() {
		if _, on := Diff(Fixed(backend), table.Slots, have); len(on) != 1 {
			b.Fatalf("%d operations", len(on))
		}
	}
}

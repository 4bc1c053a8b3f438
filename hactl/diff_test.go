package hactl

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	addr1 = netip.MustParseAddrPort("10.0.0.1:80")
	addr2 = netip.MustParseAddrPort("10.0.0.2:80")
	addr3 = netip.MustParseAddrPort("10.0.0.3:80")

	later = time.Unix(1<<40, 0)
)

func testBackend() Backend {
	return Backend{Name: "web", Mode: "http", Servers: ServerTemplate{Prefix: "web", First: 1, Last: 10, Free: "0.0.0.0:0", Params: []string{"check"}}}
}

func testGroup(b Backend, slots ...Slot) *group {
	return &group{backend: b, table: &Table{Slots: slots}}
}

func commands(operations []operation) []string {
	var out []string
	for _, op := range operations {
		for _, c := range op.commands {
			out = append(out, c.String())
		}
	}
	return out
}

func TestDiff(t *testing.T) {
	for _, test := range []struct {
		name    string
		want    Slot
		have    Server
		off, on []string
	}{
		{"free and out of service", Slot{}, Server{Admin: Maint}, nil, nil},
		{"an instance leaves", Slot{Addr: addr1}, Server{Addr: addr1, Admin: Ready}, []string{"set server web/web1 state maint", "set server web/web1 weight 0%"}, nil},
		{"a free slot drains", Slot{}, Server{Admin: Drain}, []string{"set server web/web1 state maint", "set server web/web1 weight 0%"}, nil},
		{
			"an instance enters",
			Slot{Addr: addr1, Used: true},
			Server{Admin: Maint},
			nil,
			[]string{"set server web/web1 addr 10.0.0.1 port 80", "set server web/web1 state ready"},
		},
		{
			"it enters and waits for its check",
			Slot{Addr: addr1, Used: true, Down: true},
			Server{Admin: Maint},
			nil,
			[]string{"set server web/web1 addr 10.0.0.1 port 80", "set server web/web1 state ready", "set server web/web1 health down"},
		},
		{
			"it returns to its slot",
			Slot{Addr: addr1, Used: true},
			Server{Addr: addr1, Admin: Maint},
			nil,
			[]string{"set server web/web1 state ready"},
		},
		{"it serves", Slot{Addr: addr1, Used: true}, Server{Addr: addr1, Admin: Ready}, nil, nil},
		{
			"another address serves",
			Slot{Addr: addr2, Used: true},
			Server{Addr: addr1, Admin: Ready},
			[]string{"set server web/web1 state maint"},
			[]string{"set server web/web1 addr 10.0.0.2 port 80", "set server web/web1 state ready"},
		},
		{"an operator drains it", Slot{Addr: addr1, Used: true, Operator: Drain}, Server{Addr: addr1, Admin: Ready}, []string{"set server web/web1 state drain"}, nil},
		{"it is as the operator wants", Slot{Addr: addr1, Used: true, Operator: Maint}, Server{Addr: addr1, Admin: Maint}, nil, nil},
		{
			"an operator's server has another address",
			Slot{Addr: addr1, Used: true, Operator: Drain},
			Server{Admin: Maint},
			nil,
			[]string{"set server web/web1 addr 10.0.0.1 port 80", "set server web/web1 state drain"},
		},
		{
			"an instance enters a slot that another has left",
			Slot{Addr: addr2, Used: true},
			Server{Addr: addr1, Admin: Maint, Weight: NoWeight},
			nil,
			[]string{"set server web/web1 addr 10.0.0.2 port 80", "set server web/web1 weight 100%", "set server web/web1 state ready"},
		},
		{"an operator gives it a weight", Slot{Addr: addr1, Used: true, Weight: 7}, Server{Addr: addr1, Admin: Ready}, []string{"set server web/web1 weight 7"}, nil},
		{"an operator takes its weight back", Slot{Addr: addr1, Used: true}, Server{Addr: addr1, Admin: Ready, Weight: 7, Down: true}, []string{"set server web/web1 weight 100%"}, nil},
		{
			"an operator drains it and gives it a weight",
			Slot{Addr: addr1, Used: true, Operator: Drain, Weight: 7},
			Server{Addr: addr1, Admin: Ready},
			[]string{"set server web/web1 state drain", "set server web/web1 weight 7"},
			nil,
		},
		{
			"an operator has made it ready again",
			Slot{Addr: addr1, Used: true, Weight: 7},
			Server{Addr: addr1, Admin: Drain, Weight: 7},
			nil,
			[]string{"set server web/web1 state ready"},
		},
		{"it leaves and keeps its sessions", Slot{Addr: addr1, until: later}, Server{Addr: addr1, Admin: Ready, Weight: 7}, []string{"set server web/web1 state drain", "set server web/web1 weight 0%"}, nil},
		{"its sessions go on", Slot{Addr: addr1, until: later}, Server{Addr: addr1, Admin: Drain, Weight: NoWeight}, nil, nil},
		{"an operator had drained it", Slot{Addr: addr1, until: later}, Server{Addr: addr1, Admin: Drain}, []string{"set server web/web1 weight 0%"}, nil},
		{"an operator had taken it out", Slot{Addr: addr1}, Server{Addr: addr1, Admin: Maint}, []string{"set server web/web1 state maint", "set server web/web1 weight 0%"}, nil},
		{"they have ended", Slot{Addr: addr1}, Server{Addr: addr1, Admin: Drain, Weight: 7}, []string{"set server web/web1 state maint", "set server web/web1 weight 0%"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			off, on := diff(testGroup(testBackend(), test.want), []Server{test.have})
			if d := cmp.Diff(test.off, commands(off)); d != "" {
				t.Errorf("off: -want +got\n%s", d)
			}
			if d := cmp.Diff(test.on, commands(on)); d != "" {
				t.Errorf("on: -want +got\n%s", d)
			}
			have := test.have
			for _, op := range append(off, on...) {
				have = op.after
			}
			if off, on = diff(testGroup(testBackend(), test.want), []Server{have}); len(off)+len(on) > 0 {
				t.Errorf("once carried out, still wanted: %v %v", commands(off), commands(on))
			}
		})
	}
}

func TestDiffLeavesSlotsToTheReloadThatBringsThem(t *testing.T) {
	off, on := diff(testGroup(testBackend(), Slot{}, Slot{Addr: addr1, Used: true}), []Server{{Admin: Maint}})
	if len(off)+len(on) > 0 {
		t.Errorf("commands for a server that is not there: %v %v", commands(off), commands(on))
	}
}

func TestSequenceLeavesNoGroupEmptyAndNoAddressInTwo(t *testing.T) {
	other := testBackend()
	other.Name = "app"
	var off, on []operation
	for _, step := range []struct {
		backend Backend
		want    []Slot
		have    []Server
	}{
		// 10.0.0.1 leaves web for app, 10.0.0.2 is replaced by 10.0.0.3.
		{testBackend(), []Slot{{Addr: addr1}, {Addr: addr2}, {Addr: addr3, Used: true}}, []Server{{Addr: addr1, Admin: Ready}, {Addr: addr2, Admin: Ready}, {Admin: Maint}}},
		{other, []Slot{{Addr: addr1, Used: true}}, []Server{{Admin: Maint}}},
	} {
		o, n := diff(testGroup(step.backend, step.want...), step.have)
		off, on = append(off, o...), append(on, n...)
	}
	want := []string{
		"set server web/web1 state maint", "set server web/web1 weight 0%",
		"set server web/web3 addr 10.0.0.3 port 80", "set server web/web3 state ready",
		"set server app/web1 addr 10.0.0.1 port 80", "set server app/web1 state ready",
		"set server web/web2 state maint", "set server web/web2 weight 0%",
	}
	if d := cmp.Diff(want, commands(sequence(off, on))); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestObserve(t *testing.T) {
	serving := Slot{Addr: addr1, Used: true}
	ready := Server{Addr: addr1, Admin: Ready}
	for _, test := range []struct {
		name             string
		want             Slot
		believed, actual Server
		result           observation
	}{
		{"as it should be", serving, ready, ready, observation{}},
		{"its check failed", serving, ready, Server{Addr: addr1, Admin: Ready, Down: true}, observation{}},
		{"an operator set maint", serving, ready, Server{Addr: addr1, Admin: Maint}, observation{operator: true}},
		{"it was taken out late", serving, ready, Server{Addr: addr1, Admin: Maint, Weight: NoWeight}, observation{drift: true}},
		{"an operator set maint after weight 0", Slot{Addr: addr1, Used: true, Weight: NoWeight}, Server{Addr: addr1, Admin: Ready, Weight: NoWeight}, Server{Addr: addr1, Admin: Maint, Weight: NoWeight}, observation{operator: true}},
		{"an operator set drain", serving, ready, Server{Addr: addr1, Admin: Drain}, observation{operator: true}},
		{"an operator ended it", Slot{Addr: addr1, Used: true, Operator: Drain}, Server{Addr: addr1, Admin: Drain}, ready, observation{operator: true}},
		{"never confirmed", serving, Server{Admin: Maint}, Server{Admin: Maint}, observation{}},
		{"an operator changed its weight", serving, ready, Server{Addr: addr1, Admin: Ready, Weight: 7}, observation{operator: true}},
		{"an operator changed its weight back", Slot{Addr: addr1, Used: true, Weight: 7}, Server{Addr: addr1, Admin: Ready, Weight: 7}, ready, observation{operator: true}},
		{"an operator ended its sessions", Slot{Addr: addr1, until: later}, Server{Addr: addr1, Admin: Drain, Weight: NoWeight}, Server{Addr: addr1, Admin: Maint}, observation{operator: true}},
		{"one that leaves got requests again", Slot{Addr: addr1, until: later}, Server{Addr: addr1, Admin: Drain, Weight: NoWeight}, ready, observation{drift: true}},
		{"a free slot's weight is nobody's", Slot{}, Server{Admin: Maint}, Server{Admin: Maint, Weight: 7}, observation{}},
		{"another address", serving, ready, Server{Addr: addr2, Admin: Ready}, observation{drift: true}},
		{"a free slot serves", Slot{}, Server{Admin: Maint}, Server{Addr: addr2, Admin: Ready}, observation{drift: true}},
		{"a free slot kept its address", Slot{}, Server{Admin: Maint}, Server{Addr: addr2, Admin: Maint}, observation{}},
	} {
		if got := observe(test.want, test.believed, test.actual); got != test.result {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.result)
		}
	}
}

func BenchmarkDiff(b *testing.B) {
	table := NewTable(20000, false)
	g := &group{backend: testBackend(), table: table}
	var have []Server
	for i := range table.Slots {
		table.Slots[i] = Slot{Addr: addr1, Used: true}
		have = append(have, Server{Addr: addr1, Admin: Ready})
	}
	have[12345].Admin = Maint
	for b.Loop() {
		if _, on := diff(g, have); len(on) != 1 {
			b.Fatalf("%d operations", len(on))
		}
	}
}

package slots

import (
	"testing"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func TestObserve(t *testing.T) {
	serving := Slot{Addr: addr1, Used: true}
	ready := haproxy.Server{Addr: addr1, Admin: haproxy.Ready}
	for _, test := range []struct {
		name          string
		want          Slot
		known, actual haproxy.Server
		result        Observation
	}{
		{"as it should be", serving, ready, ready, Observation{}},
		{"its check failed", serving, ready, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Down: true}, Observation{}},
		{"its agent was disabled", serving, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Agent: haproxy.AgentOn}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Agent: haproxy.AgentOff}, Observation{Operator: true}},
		{"an agent ended maintenance", Slot{Addr: addr1}, haproxy.Server{Addr: addr1, Admin: haproxy.Maint, Weight: haproxy.NoWeight, Agent: haproxy.AgentOff}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Weight: haproxy.NoWeight, Agent: haproxy.AgentOff}, Observation{Drift: true}},
		{"an operator set maint", serving, ready, haproxy.Server{Addr: addr1, Admin: haproxy.Maint}, Observation{Operator: true}},
		{"it was taken out late", serving, ready, haproxy.Server{Addr: addr1, Admin: haproxy.Maint, Weight: haproxy.NoWeight}, Observation{Drift: true}},
		{"an operator set maint after weight 0", Slot{Addr: addr1, Used: true, Weight: haproxy.NoWeight}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Weight: haproxy.NoWeight}, haproxy.Server{Addr: addr1, Admin: haproxy.Maint, Weight: haproxy.NoWeight}, Observation{Operator: true}},
		{"an operator set drain", serving, ready, haproxy.Server{Addr: addr1, Admin: haproxy.Drain}, Observation{Operator: true}},
		{"an operator ended it", Slot{Addr: addr1, Used: true, Operator: haproxy.Drain}, haproxy.Server{Addr: addr1, Admin: haproxy.Drain}, ready, Observation{Operator: true}},
		{"never confirmed", serving, haproxy.Server{Admin: haproxy.Maint}, haproxy.Server{Admin: haproxy.Maint}, Observation{}},
		{"an operator changed its weight", serving, ready, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Weight: 7}, Observation{Operator: true}},
		{"an operator changed its weight back", Slot{Addr: addr1, Used: true, Weight: 7}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Weight: 7}, ready, Observation{Operator: true}},
		{"an operator ended its sessions", Slot{Addr: addr1, until: later}, haproxy.Server{Addr: addr1, Admin: haproxy.Drain, Weight: haproxy.NoWeight}, haproxy.Server{Addr: addr1, Admin: haproxy.Maint}, Observation{Operator: true}},
		{"one that leaves got requests again", Slot{Addr: addr1, until: later}, haproxy.Server{Addr: addr1, Admin: haproxy.Drain, Weight: haproxy.NoWeight}, ready, Observation{Drift: true}},
		{"a free slot's weight is not an override", Slot{}, haproxy.Server{Admin: haproxy.Maint}, haproxy.Server{Admin: haproxy.Maint, Weight: 7}, Observation{}},
		{"another address", serving, ready, haproxy.Server{Addr: addr2, Admin: haproxy.Ready}, Observation{Drift: true}},
		{"a free slot serves", Slot{}, haproxy.Server{Admin: haproxy.Maint}, haproxy.Server{Addr: addr2, Admin: haproxy.Ready}, Observation{Drift: true}},
		{"a free slot kept its address", Slot{}, haproxy.Server{Admin: haproxy.Maint}, haproxy.Server{Addr: addr2, Admin: haproxy.Maint}, Observation{}},
	} {
		if got := Observe(test.want, test.known, test.actual); got != test.result {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.result)
		}
	}
}

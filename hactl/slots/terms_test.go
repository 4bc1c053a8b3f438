package slots

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

func anybody(registry.Instance) bool { return true }

// One story of an instance whose registration changes its mind.
func TestTermsOfARegistration(t *testing.T) {
	one := registry.Instance{Addr: addr1}
	table := New(Options{Size: 1, Full: 100})
	version := 0
	say := func(terms registry.Terms) {
		version++
		table.SetTerms(map[registry.Instance]registry.Terms{one: terms}, version, anybody)
		table.Assign([]registry.Instance{one}, time.Time{})
	}
	have := []haproxy.Server{{Admin: haproxy.Maint}}
	expect := func(what string, want ...string) {
		t.Helper()
		off, on := Diff(Fixed(testBackend()), table.Slots, have)
		if d := cmp.Diff(want, commands(append(off, on...))); d != "" {
			t.Errorf("%s: -want +got\n%s", what, d)
		}
		for _, op := range append(off, on...) {
			have[0] = op.After
		}
		if off, on := Diff(Fixed(testBackend()), table.Slots, have); len(off)+len(on) > 0 {
			t.Errorf("%s: once carried out, still wanted: %v %v", what, commands(off), commands(on))
		}
	}

	say(registry.Terms{Weight: 30})
	expect("it enters with a weight", "set server web/web1 addr 10.0.0.1 port 80", "set server web/web1 weight 30", "set server web/web1 state ready")
	say(registry.Terms{Weight: 150})
	expect("more", "set server web/web1 weight 150")
	say(registry.Terms{Drain: true})
	expect("it drains, with the mark that no operator did it", "set server web/web1 state drain", "set server web/web1 weight 0%")
	if table.Slots[0].TakesTraffic() || table.Slots[0].Row() != (haproxy.Row{}) {
		t.Error("a draining instance is rendered in service")
	}
	if seen := Observe(table.Slots[0], have[0], haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Weight: haproxy.NoWeight}); !seen.Drift || seen.Operator {
		t.Errorf("ready beside a registration that drains is %+v", seen)
	}
	maint := haproxy.Server{Addr: addr1, Admin: haproxy.Maint, Weight: haproxy.NoWeight}
	if seen := Observe(table.Slots[0], have[0], maint); !seen.Operator {
		t.Errorf("an operator's maint is %+v", seen)
	}
	table.Override(0, maint)
	have[0] = maint
	expect("an operator's maint loses the mark", "set server web/web1 weight 100%")
	table.Override(0, haproxy.Server{Addr: addr1, Admin: haproxy.Ready})
	have[0].Admin = haproxy.Ready
	expect("it drains again", "set server web/web1 state drain", "set server web/web1 weight 0%")
	say(registry.Terms{Weight: 30})
	expect("it is back", "set server web/web1 weight 30", "set server web/web1 state ready")

	operator := haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Weight: 7}
	table.Override(0, operator)
	have[0] = operator
	say(registry.Terms{Weight: 60})
	expect("an operator's weight has precedence")
	have[0].Weight = 0
	table.Override(0, have[0])
	expect("until the operator sets 100%", "set server web/web1 weight 60")
	drained := have[0]
	drained.Admin = haproxy.Drain
	table.Override(0, drained)
	if got := table.Slots[0].Override(); got != "drain" {
		t.Errorf("an operator who drains sets %q", got)
	}
	have[0] = drained
	say(registry.Terms{})
	expect("the weight follows the registration beside an operator's drain", "set server web/web1 weight 100%")
}

func TestTermsSurviveATakeover(t *testing.T) {
	one := registry.Instance{Addr: addr1}
	earlier, now := registry.Terms{Weight: 30}, registry.Terms{Weight: 60}
	table := New(Options{Size: 1, Full: 100})
	table.SetTerms(map[registry.Instance]registry.Terms{one: now}, 1, anybody)
	table.Assign([]registry.Instance{one}, time.Time{})
	if !table.Ours(30, earlier) || table.Ours(31, earlier) {
		t.Error("the earlier weight of the registration is taken for an operator's")
	}
	if table.Restore(0, Slot{Weight: 60}, false) {
		t.Error("the weight of the registration is taken for an operator's")
	}
	if !table.Restore(0, Slot{Weight: 7}, false) || table.Slots[0].wantedWeight() != 7 {
		t.Errorf("an operator's weight is lost: %+v", table.Slots[0])
	}
}

// A held instance is not registered: it keeps what its registration said last.
func TestHeldInstanceKeepsItsTerms(t *testing.T) {
	one := registry.Instance{Addr: addr1}
	table := New(Options{Size: 1, Full: 100})
	table.SetTerms(map[registry.Instance]registry.Terms{one: {Weight: 30}}, 1, anybody)
	table.Assign([]registry.Instance{one}, time.Time{})
	table.SetTerms(nil, 2, func(registry.Instance) bool { return false })
	if got := table.Slots[0].wantedWeight(); got != 30 {
		t.Errorf("its weight is %v", got)
	}
}

func TestWeightsNeedAConfiguredOne(t *testing.T) {
	one := registry.Instance{Addr: addr1}
	table := New(Options{Size: 1})
	table.SetTerms(map[registry.Instance]registry.Terms{one: {Weight: 30}}, 1, anybody)
	table.Assign([]registry.Instance{one}, time.Time{})
	if got := table.Slots[0].wantedWeight(); got != 0 {
		t.Errorf("its weight is %v", got)
	}
}

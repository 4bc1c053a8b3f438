package decode

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestListIsSortedAndUnique(t *testing.T) {
	t.Parallel()
	at := func(addr string, port uint16, f Format, t registry.Terms) Registration {
		return Registration{Addr: netip.MustParseAddr(addr), Port: port, Format: f, Terms: t}
	}
	var l List
	if g := l.Group("web"); g.Name != "web" || g.Instances == nil || len(g.Instances) > 0 || g.Terms != nil || l.Formats() != nil {
		t.Errorf("%+v", g)
	}
	l.Add(at("10.0.0.2", 80, Curator, registry.Terms{Weight: 20}))
	l.Add(at("10.0.0.1", 80, IPPort, registry.Terms{}))
	l.Add(at("10.0.0.2", 80, Curator, registry.Terms{Drain: true}))
	g := l.Group("web")
	one, two := at("10.0.0.1", 80, "", registry.Terms{}).Instance(), at("10.0.0.2", 80, "", registry.Terms{}).Instance()
	want := registry.Group{Name: "web", Instances: []registry.Instance{one, two}, Terms: map[registry.Instance]registry.Terms{two: {Weight: 20}}}
	if diff := cmp.Diff(want, g, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"curator": 2}, l.Formats()); diff != "" {
		t.Error(diff)
	}
}

func TestMergeOfAnAddressRegisteredTwice(t *testing.T) {
	type terms = registry.Terms
	for _, test := range []struct{ a, b, want terms }{
		{terms{}, terms{Drain: true}, terms{}},
		{terms{Drain: true}, terms{Drain: true}, terms{Drain: true}},
		{terms{Weight: 20}, terms{Weight: 30}, terms{Weight: 30}},
		{terms{Weight: 20}, terms{}, terms{}},
		{terms{Weight: 20}, terms{Drain: true}, terms{Weight: 20}},
	} {
		for _, got := range []terms{merge(test.a, test.b), merge(test.b, test.a)} {
			if got != test.want {
				t.Errorf("%+v and %+v: got %+v, want %+v", test.a, test.b, got, test.want)
			}
		}
	}
}

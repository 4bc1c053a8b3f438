package sources

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

type terms = map[registry.Instance]registry.Terms

func TestStricterOfTwoSourcesCounts(t *testing.T) {
	for _, test := range []struct{ a, b, want registry.Terms }{
		{registry.Terms{}, registry.Terms{}, registry.Terms{}},
		{registry.Terms{}, registry.Terms{Drain: true}, registry.Terms{Drain: true}},
		{registry.Terms{Weight: 20}, registry.Terms{Weight: 30}, registry.Terms{Weight: 20}},
		{registry.Terms{Weight: 20}, registry.Terms{}, registry.Terms{Weight: 20}},
		{registry.Terms{Weight: 200}, registry.Terms{}, registry.Terms{Weight: 200}},
		{registry.Terms{Weight: 20}, registry.Terms{Drain: true}, registry.Terms{Drain: true, Weight: 20}},
	} {
		for _, got := range []registry.Terms{stricter(test.a, test.b), stricter(test.b, test.a)} {
			if got != test.want {
				t.Errorf("%+v and %+v: got %+v, want %+v", test.a, test.b, got, test.want)
			}
		}
	}
}

// What the previous process knew is passed on with the first list, also if the source has
// changed its mind before the other one has listed the group.
func TestTermsArePassedOn(t *testing.T) {
	one, two, three := instances("10.0.0.1:1")[0], instances("10.0.0.2:1")[0], instances("10.0.0.3:1")[0]
	var got []registry.Group
	m := NewMerger(sinkFunc(func(g registry.Group) { got = append(got, g) }), []string{"web"})
	zk, dir := m.Add(registry.ZooKeeper, all, false), m.Add(registry.Directory, all, false)
	list := func(of terms, addrs ...string) registry.Group {
		g := group("web", addrs...)
		g.Terms = of
		return g
	}
	first := list(terms{one: {Weight: 20}}, "10.0.0.1:1", "10.0.0.2:1")
	first.Earlier = terms{one: {Weight: 70}}
	zk.SetGroup(first)
	zk.SetGroup(list(terms{one: {Weight: 30}, two: {Weight: 200}}, "10.0.0.1:1", "10.0.0.2:1"))
	dir.SetGroup(list(terms{one: {Drain: true}, three: {Weight: 5}}, "10.0.0.1:1", "10.0.0.3:1"))
	dir.SetGroup(list(nil, "10.0.0.1:1"))
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	for i, want := range []struct{ terms, earlier terms }{
		{terms{one: {Drain: true, Weight: 30}, two: {Weight: 200}, three: {Weight: 5}}, terms{one: {Weight: 70}}},
		{terms{one: {Weight: 30}, two: {Weight: 200}}, nil},
	} {
		if diff := cmp.Diff([]terms{want.terms, want.earlier}, []terms{got[i].Terms, got[i].Earlier}, cmp.Comparer(sameInstance)); diff != "" {
			t.Errorf("list %d: -want +got\n%s", i, diff)
		}
	}
}

func sameInstance(a, b registry.Instance) bool { return a == b }

package sources

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// recorder is a sink that records what it is given since it was last asked.
type recorder struct{ said []string }

func (r *recorder) SetGroup(g registry.Group) {
	var all []string
	for _, i := range g.Instances {
		all = append(all, i.String())
	}
	text := g.Name + ": " + strings.Join(all, " ")
	if g.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", g.Skipped)
	}
	if g.Recalled {
		text += ", recalled"
	}
	r.said = append(r.said, text)
}

func (r *recorder) SetGroups(d registry.Discovered) {
	text := "groups: " + strings.Join(d.Names, " ")
	if d.Recalled {
		text += ", recalled"
	}
	r.said = append(r.said, text)
}

func (r *recorder) expect(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, r.said); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	r.said = nil
}

func group(name string, addrs ...string) registry.Group {
	g := registry.Group{Name: name, Instances: instances(addrs...)}
	return g
}

func instances(addrs ...string) []registry.Instance {
	all := []registry.Instance{}
	for _, a := range addrs {
		all = append(all, registry.Instance{Addr: netip.MustParseAddrPort(a)})
	}
	return registry.Sort(all)
}

func all(string) bool { return true }

func named(names ...string) registry.Discovered { return registry.Discovered{Names: names} }

func TestGroupIsPassedOnOnceEverySourceHasListedIt(t *testing.T) {
	r := &recorder{}
	m := NewMerger(r, []string{"web", "static", "none"})
	zk, dir := m.Add(registry.ZooKeeper, func(g string) bool { return g != "none" }, false), m.Add(registry.Directory, func(g string) bool { return g == "web" }, false)
	m.Start()
	r.expect(t, "none: ")
	zk.SetGroup(group("static", "10.0.0.9:1"))
	zk.SetGroup(group("web", "10.0.0.1:1", "10.0.0.2:1"))
	r.expect(t, "static: 10.0.0.9:1")
	dir.SetGroup(registry.Group{Name: "web", Instances: instances("10.0.0.2:1", "10.0.0.3:1"), Skipped: 2})
	r.expect(t, "web: 10.0.0.1:1 10.0.0.2:1 10.0.0.3:1, 2 skipped")

	// Each of them keeps its last list: what both list stays until neither does.
	zk.SetGroup(group("web"))
	dir.SetGroup(group("web", "10.0.0.3:1"))
	r.expect(t, "web: 10.0.0.2:1 10.0.0.3:1, 2 skipped", "web: 10.0.0.3:1")
	dir.SetGroup(group("static", "10.0.0.8:1"))
	r.expect(t)
}

func TestDiscoveredGroupsAreMerged(t *testing.T) {
	r := &recorder{}
	m := NewMerger(r, nil)
	zk, dir := m.Add(registry.ZooKeeper, all, true), m.Add(registry.Directory, all, true)
	m.Start()
	zk.SetGroups(named("a", "b"))
	zk.SetGroup(group("a", "10.0.0.1:1"))
	r.expect(t)
	dir.SetGroups(named("b", "c"))
	r.expect(t, "groups: a b c", "a: 10.0.0.1:1")
	zk.SetGroup(group("b", "10.0.0.2:1"))
	dir.SetGroup(group("c", "10.0.0.3:1"))
	r.expect(t, "c: 10.0.0.3:1")
	dir.SetGroup(group("b", "10.0.0.4:1"))
	r.expect(t, "b: 10.0.0.2:1 10.0.0.4:1")

	// A group that one of them no longer has keeps what the other one has.
	zk.SetGroups(named("a"))
	r.expect(t, "groups: a b c", "b: 10.0.0.4:1")
	zk.SetGroup(group("b", "10.0.0.2:1")) // read before it was removed
	r.expect(t)
	// One that is served waits for no further source.
	dir.SetGroups(named("a", "b", "c"))
	r.expect(t, "groups: a b c")
	zk.SetGroup(group("a", "10.0.0.5:1"))
	r.expect(t, "a: 10.0.0.5:1")
	dir.SetGroups(named("b"))
	r.expect(t, "groups: a b") // it had no list of the other one
}

func TestRecallPassesOnWhatIsKnown(t *testing.T) {
	r := &recorder{}
	m := NewMerger(r, []string{"web", "api"})
	zk, dir := m.Add(registry.ZooKeeper, all, true), m.Add(registry.Directory, all, true)
	m.Start()
	dir.SetGroups(named("shop"))
	dir.SetGroup(group("shop", "10.0.0.1:1"))
	dir.SetGroup(group("web", "10.0.0.2:1"))
	r.expect(t)
	m.Recall()
	r.expect(t, "groups: shop, recalled", "shop: 10.0.0.1:1", "web: 10.0.0.2:1, recalled")
	if diff := cmp.Diff([]string{"web"}, m.Incomplete()); diff != "" {
		t.Error(diff)
	}
	dir.SetGroup(group("web", "10.0.0.3:1"))
	r.expect(t, "web: 10.0.0.3:1, recalled")

	zk.SetGroup(group("web", "10.0.0.4:1"))
	r.expect(t, "web: 10.0.0.3:1 10.0.0.4:1")
	zk.SetGroups(named("more"))
	r.expect(t, "groups: more shop")
	zk.SetGroup(group("api"))
	r.expect(t, "api: , recalled")
	dir.SetGroup(group("api"))
	r.expect(t, "api: ")
	if left := m.Incomplete(); len(left) > 0 {
		t.Error(left)
	}
}

// Lists from a cache stay marked, and so does what is merged with them.
func TestCachedListsStayMarked(t *testing.T) {
	r := &recorder{}
	m := NewMerger(r, []string{"web"})
	zk, written := m.Add(registry.ZooKeeper, all, false), m.Add(registry.Written, all, false)
	written.SetGroup(group("web", "10.0.0.9:1"))
	zk.SetGroup(registry.Group{Name: "web", Instances: instances("10.0.0.1:1"), Recalled: true})
	zk.SetGroup(group("web", "10.0.0.1:1"))
	r.expect(t, "web: 10.0.0.1:1 10.0.0.9:1, recalled", "web: 10.0.0.1:1 10.0.0.9:1")
}

func TestPartsNameTheSources(t *testing.T) {
	var got []registry.Part
	sink := sinkFunc(func(g registry.Group) { got = g.Parts })
	m := NewMerger(sink, []string{"web"})
	zk := m.Add(registry.ZooKeeper, all, false)
	zk.SetGroup(group("web", "10.0.0.1:1"))
	if got != nil {
		t.Errorf("ZooKeeper alone: %v", got)
	}
	m = NewMerger(sink, []string{"web"})
	zk, dir := m.Add(registry.ZooKeeper, all, false), m.Add(registry.Directory, all, false)
	zk.SetGroup(group("web", "10.0.0.1:1"))
	dir.SetGroup(group("web", "10.0.0.2:1"))
	if len(got) != 2 || got[0].Source != registry.ZooKeeper || got[1].Source != registry.Directory || got[1].Instances[0].String() != "10.0.0.2:1" {
		t.Errorf("%v", got)
	}
}

type sinkFunc func(registry.Group)

func (f sinkFunc) SetGroup(g registry.Group)     { f(g) }
func (f sinkFunc) SetGroups(registry.Discovered) {}

func TestWrittenInstancesAreAdmitted(t *testing.T) {
	r := &recorder{}
	bad := errors.New("denied")
	w := NewWritten(map[string][]registry.Instance{"web": instances("10.0.0.1:1", "10.0.0.2:1")}, func(i registry.Instance) error {
		if i.String() == "10.0.0.2:1" {
			return bad
		}
		return nil
	}, r, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil || !w.ConnectionStatus().Connected {
		t.Error(err)
	}
	r.expect(t, "web: 10.0.0.1:1, 1 skipped")
	found := w.Registrations()
	if len(found) != 1 || found[0].Usable != 1 || found[0].Findings[0].Kind != registry.Refused || found[0].Findings[0].Problem != "denied" {
		t.Errorf("%+v", found)
	}
}

type fixed struct {
	Source
	status registry.ConnectionStatus
	found  []registry.Registrations
}

func (f fixed) ConnectionStatus() registry.ConnectionStatus { return f.status }
func (f fixed) Registrations() []registry.Registrations     { return f.found }

func TestStatusAndFindingsAreJoined(t *testing.T) {
	of := func(group string, n int) registry.Registrations {
		return registry.Registrations{Group: group, Usable: n, Findings: []registry.Finding{{Count: n}}, Skipped: []registry.Skipped{{Name: group}}}
	}
	zk := fixed{status: registry.ConnectionStatus{Connected: true}, found: []registry.Registrations{of("a", 1), of("c", 2)}}
	dir := fixed{status: registry.ConnectionStatus{Source: registry.Directory}, found: []registry.Registrations{of("b", 3), of("c", 4)}}
	written := fixed{status: registry.ConnectionStatus{Source: registry.Written, Connected: true}}
	c := Statuses([]Source{zk, dir, written})
	if c.Kind() != registry.ZooKeeper || !c.Connected || len(c.Others) != 1 || c.Others[0].Source != registry.Directory {
		t.Errorf("%+v", c)
	}
	if c := Statuses([]Source{written}); c.Source != registry.Written || len(c.Others) > 0 {
		t.Errorf("%+v", c)
	}
	want := []registry.Registrations{of("a", 1), of("b", 3), {Group: "c", Usable: 6, Findings: []registry.Finding{{Count: 2}, {Count: 4}}, Skipped: []registry.Skipped{{Name: "c"}, {Name: "c"}}}}
	if diff := cmp.Diff(want, Registrations([]Source{zk, dir, written})); diff != "" {
		t.Error(diff)
	}
}

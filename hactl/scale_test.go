package hactl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// manyInstances returns n instances, sorted.
func manyInstances(n int) []registry.Instance {
	out := make([]registry.Instance, n)
	for i := range out {
		var ip [4]byte
		binary.BigEndian.PutUint32(ip[:], 10<<24+1<<16+uint32(i)) //nolint:gosec // it is no more than some hundred thousand
		out[i] = registry.Instance{Addr: netip.AddrPortFrom(netip.AddrFrom4(ip), 80)}
	}
	return out
}

// besideLarge serves a group of n instances and the group web with one instance.
// Instances of the large group that find no server wait.
func besideLarge(tb testing.TB, n int) *story {
	tb.Helper()
	s := newStory(tb, backendOf("large", 10), backendOf("web", 10))
	s.SetGroup(registry.Group{Name: "large", Instances: manyInstances(n)})
	s.set("web", 1)
	s.launch(tb)
	s.step(tb.Context())
	return s
}

// rests advances the clock, so that nothing is damped, and disables everything else
// that would be due.
func (s *story) rests() {
	s.passes(2 * time.Minute)
	s.fleet.countAt = time.Time{}
	s.fleet.begin()
	s.files.at, s.files.earliest = time.Time{}, s.time().Add(time.Hour)
	s.fleet.changed.ends, s.fleet.changed.logged = s.time().Add(time.Hour), changesLogged // changes are counted, not logged
}

// comesOrGoes adds or removes the second instance of the group web, and applies that.
func (s *story) comesOrGoes(tb testing.TB, comes bool) {
	tb.Helper()
	in := []int{1}
	if comes {
		in = append(in, 2)
	}
	s.set("web", in...)
	s.step(tb.Context())
	s.rests()
}

// BenchmarkChangeBesideLargeGroup measures one change of a small group, up to its last
// reply.
func BenchmarkChangeBesideLargeGroup(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := besideLarge(b, n)
			comes := false
			b.ReportAllocs()
			for b.Loop() {
				comes = !comes
				s.comesOrGoes(b, comes)
			}
			if n := len(s.ha.worker(0).changes()); n < b.N {
				b.Errorf("%d writes for %d changes", n, b.N)
			}
			if !slices.Equal(s.ha.causes(), []string{"start"}) {
				b.Errorf("reloads: %v", s.ha.causes())
			}
		})
	}
}

// BenchmarkChangeBesideManyGroups measures one change of a small group beside others of
// ten instances and twenty servers each, up to its last reply.
func BenchmarkChangeBesideManyGroups(b *testing.B) {
	for _, n := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			backends := []haproxy.Backend{backendOf("web", 10)}
			for i := range n {
				backends = append(backends, backendOf(fmt.Sprint("g", i), 20))
			}
			s := newStory(b, backends...)
			all := manyInstances(10 * n)
			for i := range n {
				s.SetGroup(registry.Group{Name: fmt.Sprint("g", i), Instances: all[10*i : 10*i+10 : 10*i+10]})
			}
			s.set("web", 1)
			s.launch(b)
			s.step(b.Context())
			comes := false
			b.ReportAllocs()
			for b.Loop() {
				comes = !comes
				s.comesOrGoes(b, comes)
			}
		})
	}
}

// BenchmarkChangeOfLargeGroup measures one change of the large group itself.
func BenchmarkChangeOfLargeGroup(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := besideLarge(b, n)
			all := manyInstances(n)
			short := false
			b.ReportAllocs()
			for b.Loop() {
				short = !short
				now := slices.Clone(all)
				if short {
					now = slices.Delete(now, n/2, n/2+1)
				}
				s.SetGroup(registry.Group{Name: "large", Instances: now})
				s.step(b.Context())
				s.rests()
			}
		})
	}
}

// BenchmarkHeartbeatBesideLargeGroup measures what an idle proxy does every two
// seconds.
func BenchmarkHeartbeatBesideLargeGroup(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := besideLarge(b, n)
			b.ReportAllocs()
			for b.Loop() {
				s.fleet.heartbeatAt = s.time()
				s.step(b.Context())
			}
		})
	}
}

// The cost of a change elsewhere is counted, not timed: slots compared with servers,
// instances assigned to slots, bytes and objects allocated.
func TestChangeBesideLargeGroupCostsTheSame(t *testing.T) {
	cost := func(n int) (allocations float64, s *story) {
		s = besideLarge(t, n)
		comes := false
		return testing.AllocsPerRun(20, func() {
			comes = !comes
			s.comesOrGoes(t, comes)
		}), s
	}
	small, _ := cost(20)
	large, s := cost(30_000)
	if large > 1.2*small+10 {
		t.Errorf("a change makes %.0f objects beside a group of 30,000, and %.0f beside one of 20", large, small)
	}
	group := s.desired.groups[0]
	same(t, "waiting", 20_000, group.table.Beyond)
	for _, w := range s.fleet.workers {
		same(t, "compared again", group.table.Version(), w.equal[group])
	}
	version := group.table.Version()
	s.comesOrGoes(t, true)
	s.comesOrGoes(t, false)
	same(t, "given slots again", version, group.table.Version())
}

func TestWaitingInstanceOfFullGroupEntersWhenAnotherLeaves(t *testing.T) {
	s := besideLarge(t, haproxy.MaxSlots+1)
	all := manyInstances(haproxy.MaxSlots + 1)
	same(t, "waiting", 1, s.table(0).Beyond)
	same(t, "full", []string{"large"}, s.Snapshot().Full)
	s.SetGroup(registry.Group{Name: "large", Instances: all[1:]})
	s.step(t.Context())
	same(t, "waiting while its sessions may run", 1, s.table(0).Beyond)
	s.passes(countEvery)
	s.step(t.Context())
	same(t, "waiting", 0, s.table(0).Beyond)
	same(t, "full", nil, s.Snapshot().Full)
	same(t, "in the place of the one that left", all[haproxy.MaxSlots].String(), s.table(0).Slots[0].Addr.String())
	for _, socket := range s.ha.sockets {
		same(t, "in the worker", "10.1.39.16:80 ready", socket.worker.show("large/large1"))
	}
}

func TestPlacesMatchGroups(t *testing.T) {
	s := newStory(t, backendOf("api", 3), backendOf("web", 2))
	s.set("api", 1, 2)
	s.set("web", 2, 3, 4)
	s.launch(t)
	s.step(t.Context())
	check := func(what string, got slots.Places) {
		t.Helper()
		want := make(slots.Places)
		count := func(addr netip.AddrPort, registered, serving int) {
			p := want[addr]
			want[addr] = slots.Place{Registered: p.Registered + registered, Serving: p.Serving + serving}
		}
		for _, g := range s.desired.groups {
			for _, i := range g.registered() {
				count(i.Addr, 1, 0)
			}
			for _, slot := range g.table.Slots {
				if slot.Used {
					count(slot.Addr, 0, 1)
				}
			}
		}
		if !maps.Equal(want, got) {
			t.Errorf("%s: counted %v, want %v", what, got, want)
		}
	}
	check("at the start", s.desired.places)
	s.set("api", 2, 5)
	s.set("web")
	s.step(t.Context())
	check("after a change", s.desired.places)
	source := s.Stage(Layout{Template: s.options.Template, Frame: s.options.Frame, Backends: []haproxy.Backend{backendOf("api", 1), backendOf("new", 3)}})
	for _, name := range []string{"api", "new"} {
		source.SetGroup(registry.Group{Name: name, Instances: instances(2, 7)})
	}
	before := s.desired.places
	s.ha.meet(func() { s.ha.fail, s.ha.failAt = errors.New("no"), 1 })
	s.step(t.Context())
	check("after a change of the configuration that failed", before)
	s.passes(time.Second) // it is retried
	s.step(t.Context())
	check("after it succeeded", s.desired.places)
	same(t, "groups", []string{"api", "new"}, s.names())
}

func TestTotalServersAreBounded(t *testing.T) {
	s := newStory(t, backendOf("api", 2), backendOf("web", 2))
	s.desired.mostSlots = 8
	s.set("api", 1, 2)
	s.set("web", 3, 4)
	s.launch(t)
	s.passes(reloadGap)
	s.set("api", 1, 2, 5, 6, 7)
	s.set("web", 3, 4, 8, 9, 10, 11)
	s.step(t.Context())
	s.step(t.Context())
	slots := 0
	for _, g := range s.desired.groups {
		slots += len(g.table.Slots)
	}
	same(t, "slots", 8, slots)
	same(t, "waiting of both", 3, s.table(0).Beyond+s.table(1).Beyond)
	same(t, "waiting, as the metric has it", 3.0, s.metric(t, "haproxyzk_instances_waiting", "api")+s.metric(t, "haproxyzk_instances_waiting", "web"))
	same(t, "full", true, s.desired.full)
	for _, n := range []int{1, 2} {
		if s.table(0).Find(instances(n)[0]) == nil {
			t.Errorf("instance %d does not serve any more", n)
		}
	}
	same(t, "reloads", []string{"start", "slots"}, s.ha.causes())
	s.step(t.Context())
	same(t, "reloads, nothing has changed", []string{"start", "slots"}, s.ha.causes())

	s.set("web", 3, 4, 8)
	s.set("api", 1, 2, 5)
	s.step(t.Context())
	s.passes(countEvery)
	s.step(t.Context())
	same(t, "waiting when others have left", 0, s.table(0).Beyond+s.table(1).Beyond)
	same(t, "full", false, s.desired.full)
}

func TestSlotsOfDiscoveredGroupsAreBounded(t *testing.T) {
	s := withRivals(t)
	s.desired.mostSlots = 5
	s.find("a", "b", "c", "d")
	s.launch(t)
	var slots []int
	for _, g := range s.desired.groups {
		slots = append(slots, len(g.table.Slots))
	}
	same(t, "slots", []int{2, 2, 1, 1}, slots)
}

package hactl

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// writtenBackend returns the backend of a group that is written out and found by a map.
func writtenBackend(name string) haproxy.Backend {
	b, _ := backendOfDiscovered(name)
	b.Discovered = false
	return b
}

// layoutOf returns a layout of groups that are written out.
func (s *story) layoutOf(backends ...haproxy.Backend) Layout {
	l := Layout{Template: s.options.Template, Frame: s.options.Frame, Backends: backends}
	l.Frame.Version, l.Frame.ConfFile, l.Frame.Routes = v34, "/run/live.cfg", []haproxy.Route{haproxy.RoutePath}
	l.Frame.Kinds = l.Template.Kinds(l.Frame, backends)
	return l
}

// written returns a story of groups that are written out and come and go at run time, with
// an instance each.
func written(tb testing.TB, names ...string) *story {
	tb.Helper()
	s := newStory(tb)
	s.with(func(o *Options) {
		var backends []haproxy.Backend
		for _, name := range names {
			backends = append(backends, writtenBackend(name))
		}
		l := s.layoutOf(backends...)
		o.Frame, o.Backends = l.Frame, backends
	})
	for i, name := range names {
		s.set(name, i+1)
	}
	return s
}

// rewritten stages a layout, whose groups get the instances that are numbered after their
// places.
func (s *story) rewritten(l Layout) *Source {
	source := s.Stage(l)
	for i, b := range l.Backends {
		source.fill(b.Name, i+1)
	}
	return source
}

func TestConfigurationThatAddsAndRemovesGroupsNeedsNoReload(t *testing.T) {
	t.Parallel()
	s := written(t, "a", "b")
	log, events := s.journal(), s.reported()
	s.set("a", 1)
	s.set("b", 2)
	s.launch(t)
	source := s.rewritten(s.layoutOf(writtenBackend("c"), writtenBackend("a")))
	s.step(t.Context())
	s.routesTo(t, "a", "c")
	same(t, "in service", []int{1}, s.inService("c"))
	same(t, "shown", []string{"c", "a"}, s.shown())
	same(t, "requests on their way are served", []int{2}, s.inService("b"))
	s.settles(t, 5*time.Minute)
	for i := range 2 {
		same(t, "deleted", false, s.ha.worker(i).knows("b"))
	}
	same(t, "forgotten", 2, len(s.desired.groups))
	source.fill("c", 7, 8)
	s.step(t.Context())
	same(t, "follows the new source", []int{7, 8}, s.inService("c"))
	same(t, "reloads", []string{"start"}, s.ha.causes())
	same(t, "counted", []float64{1, 0}, []float64{s.metric(t, "haproxyzk_configuration_changes_total", "live"), s.metric(t, "haproxyzk_configuration_changes_total", "reload")})
	same(t, "logged", 1, len(log.lines("without a reload")))
	same(t, "reported", true, slices.Contains(events.lines, "configuration_accepted, without a reload, added: c; removed: b"))
}

func TestGroupsAreWrittenOutAndDiscoveredWithoutReload(t *testing.T) {
	t.Parallel()
	s := live(t, "a", "b")
	s.launch(t)
	l := s.layoutOf(writtenBackend("b"), writtenBackend("c"))
	l.Frame.Discovered, l.Discover = s.options.Frame.Discovered, backendOfDiscovered
	source := s.Stage(l)
	source.SetGroups(registry.Discovered{Names: []string{"b", "d", "bad name"}})
	for i, name := range []string{"a", "b", "c", "d"} {
		source.fill(name, i+1)
	}
	s.step(t.Context())
	s.routesTo(t, "b", "c", "d")
	same(t, "shown", []string{"b", "c", "d"}, s.shown())

	none := s.layoutOf(writtenBackend("c"))
	s.Stage(none).fill("c", 3)
	s.step(t.Context())
	s.routesTo(t, "c")
	s.settles(t, 5*time.Minute)
	same(t, "names", []string{"c"}, s.names())
	same(t, "reloads", []string{"start"}, s.ha.causes())
}

func TestSettingsThatAreNotRenderedNeedNoReload(t *testing.T) {
	t.Parallel()
	slotted := backendOf("web", 3)
	slotted.ACLs = []string{"path /web"}
	s := written(t, "a")
	s.with(func(o *Options) { o.Backends = append(o.Backends, slotted) })
	s.set("a", 1)
	s.set("web", 1, 2)
	s.launch(t)
	other, patient := writtenBackend("a"), slotted
	other.LossGuard, other.Carry, patient.DrainTimeout, patient.WaitCheck = 50, haproxy.CarryAuto, time.Minute, true
	source := s.rewritten(s.layoutOf(other, patient))
	source.fill("web", 1, 2)
	s.step(t.Context())
	source.fill("web", 1)
	s.step(t.Context())
	same(t, "drains", 1, s.table(1).Leaving())
	s.routesTo(t, "a")
	same(t, "reloads", []string{"start"}, s.ha.causes())
}

func TestConfigurationThatChangesMoreReloads(t *testing.T) {
	t.Parallel()
	plain := backendOf("plain", 2)
	plain.ACLs = []string{"path /plain"}
	for name, change := range map[string]func(l *Layout, b map[string]*haproxy.Backend){
		"conditions": func(_ *Layout, b map[string]*haproxy.Backend) {
			b["new"].Route, b["new"].ACLs = "", []string{"path /x"}
		},
		"a default backend": func(_ *Layout, b map[string]*haproxy.Backend) { b["new"].Default = true },
		"a listener":        func(_ *Layout, b map[string]*haproxy.Backend) { b["new"].ListenerPort = 81 },
		"slots":             func(_ *Layout, b map[string]*haproxy.Backend) { b["new"].Carry = haproxy.CarrySlots },
		"a new kind":        func(_ *Layout, b map[string]*haproxy.Backend) { b["new"].Lines = []string{"timeout server 9s"} },
		"a new route":       func(_ *Layout, b map[string]*haproxy.Backend) { b["new"].Route = haproxy.RouteHost },
		"a kept group's": func(_ *Layout, b map[string]*haproxy.Backend) {
			b["a"].Servers.Params = []string{"check", "inter", "5s"}
		},
		"a kept one's route": func(_ *Layout, b map[string]*haproxy.Backend) { b["a"].Route = "header:x" },
		"another carrier":    func(_ *Layout, b map[string]*haproxy.Backend) { b["a"].Carry = haproxy.CarryServers },
		"more slots":         func(_ *Layout, b map[string]*haproxy.Backend) { b["plain"].Servers.Last++ },
		"other conditions":   func(_ *Layout, b map[string]*haproxy.Backend) { b["plain"].ACLs = []string{"path /y"} },
		"a frame":            func(l *Layout, _ map[string]*haproxy.Backend) { l.Frame.ListenerPort = 4711 },
		"a version":          func(l *Layout, _ map[string]*haproxy.Backend) { l.Frame.Version.Full = "3.4.1" },
		"a case":             func(_ *Layout, b map[string]*haproxy.Backend) { b["new"].Name = "A" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := written(t, "a")
			s.with(func(o *Options) { o.Backends = append(o.Backends, plain) })
			s.set("a", 1)
			s.set("plain", 2)
			s.launch(t)
			backends := map[string]*haproxy.Backend{}
			for _, b := range []haproxy.Backend{writtenBackend("a"), plain, writtenBackend("new")} {
				backends[b.Name] = &b
			}
			var l Layout
			change(&l, backends)
			frame := l.Frame
			l = s.layoutOf(*backends["a"], *backends["plain"], *backends["new"])
			if frame.ListenerPort != 0 {
				l.Frame.ListenerPort = frame.ListenerPort
			}
			if frame.Version.Full != "" {
				l.Frame.Version.Full = frame.Version.Full
			}
			s.rewritten(l)
			s.settles(t, 2*time.Second)
			same(t, "reloads", []string{"start", "configuration"}, s.ha.causes())
			same(t, "in service", []int{3}, s.inService(l.Backends[2].Name))
			same(t, "counted", 1, s.metric(t, "haproxyzk_configuration_changes_total", "reload"))
		})
	}
}

// A group can be added later with the settings of one that has gone.
func TestKindsAndRoutesOutliveTheirGroups(t *testing.T) {
	t.Parallel()
	hosted := writtenBackend("a")
	hosted.Route, hosted.ACLs, hosted.Lines = haproxy.RouteHost, nil, []string{"timeout server 9s"}
	s := written(t)
	l := s.layoutOf(hosted, writtenBackend("b"))
	l.Frame.Routes = []haproxy.Route{haproxy.RoutePath, haproxy.RouteHost}
	s.with(func(o *Options) { o.Frame, o.Backends = l.Frame, l.Backends })
	s.set("a", 1)
	s.set("b", 2)
	s.launch(t)
	s.rewritten(s.layoutOf(writtenBackend("b")))
	s.settles(t, 5*time.Minute)
	same(t, "deleted", false, s.ha.worker(0).knows("a"))
	hosted.Name = "c"
	s.rewritten(s.layoutOf(writtenBackend("b"), hosted))
	s.settles(t, time.Second)
	same(t, "in service", []int{2}, s.inService("c"))
	same(t, "reloads", []string{"start"}, s.ha.causes())
	_ = s.replaceGeneration(t.Context(), "signal")
	s.settles(t, time.Second)
	same(t, "in service after a reload", []int{2}, s.inService("c"))
}

func TestGroupReturnsToTheConfigurationWhileItIsRemoved(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, 40 * time.Second, 80 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			s := written(t, "a", "b")
			s.launch(t)
			s.rewritten(s.layoutOf(writtenBackend("a")))
			s.settles(t, after)
			s.routesTo(t, "a")
			s.rewritten(s.layoutOf(writtenBackend("a"), writtenBackend("b")))
			s.settles(t, time.Second)
			s.routesTo(t, "a", "b")
			same(t, "in service", []int{2}, s.inService("b"))
			s.settles(t, 5*time.Minute)
			s.routesTo(t, "a", "b")
			same(t, "reloads", []string{"start"}, s.ha.causes())
		})
	}
}

// It does not keep the settings that it had in the configuration.
func TestGroupIsDiscoveredWhileItIsRemovedFromConfiguration(t *testing.T) {
	t.Parallel()
	slow := writtenBackend("w")
	slow.Lines = []string{"timeout server 9s"}
	s := live(t, "a")
	layout := func(backends ...haproxy.Backend) Layout {
		l := s.layoutOf(backends...)
		l.Frame.Discovered, l.Discover = s.options.Frame.Discovered, backendOfDiscovered
		return l
	}
	s.with(func(o *Options) {
		l := layout(slow)
		o.Frame, o.Backends = l.Frame, l.Backends
	})
	s.listed("a")
	s.set("w", 2)
	s.launch(t)
	source := s.Stage(layout())
	source.SetGroups(registry.Discovered{Names: []string{"a"}})
	source.fill("a", 1)
	s.settles(t, 5*time.Second)
	s.routesTo(t, "a")
	source.SetGroups(registry.Discovered{Names: []string{"a", "w"}})
	source.fill("w", 3)
	s.settles(t, 5*time.Second)
	s.routesTo(t, "a", "w")
	same(t, "in service", []int{3}, s.inService("w"))
	same(t, "reloads", []string{"start", "groups"}, s.ha.causes())
	_, text, _ := strings.Cut(string(s.desired.rendition().config()), "backend w\n")
	settings, _, found := strings.Cut(text, "server 10.0.0.3:80")
	if !found || strings.Contains(settings, "timeout") {
		t.Errorf("it has its earlier settings, or no server: %s", text)
	}
}

func TestRefusedGroupOfConfigurationIsAddedByReload(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"add backend", "del backend"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			s := written(t, "a", "b")
			log := s.journal()
			s.set("a", 1)
			s.set("b", 2)
			s.launch(t)
			s.ha.worker(1).refuse(part, 100)
			s.rewritten(s.layoutOf(writtenBackend("a"), writtenBackend("c")))
			s.settles(t, 5*time.Minute)
			s.routesTo(t, "a", "c")
			for i := range 2 {
				same(t, "removed", false, s.ha.worker(i).knows("b"))
			}
			same(t, "reloads", []string{"start", "groups"}, s.ha.causes())
			same(t, "counted", 1, s.metric(t, "haproxyzk_backend_changes_total", "refused"))
			same(t, "logged", 1, len(log.lines("refused to add or delete a backend")))
			same(t, "groups", []string{"a", "c"}, s.names())
		})
	}
}

// A reload that failed is not needed once the configuration is what runs.
func TestFailedReloadIsForgottenWhenNoneIsNeeded(t *testing.T) {
	t.Parallel()
	s := written(t, "a")
	s.launch(t)
	s.passes(time.Minute)
	other := writtenBackend("a")
	other.Servers.Params = []string{"check", "port", "1"}
	s.ha.fail = fmt.Errorf("refused")
	s.rewritten(s.layoutOf(other))
	s.step(t.Context())
	if !strings.Contains(s.Snapshot().ReloadError, "refused") {
		t.Errorf("%q", s.Snapshot().ReloadError)
	}
	s.rewritten(s.layoutOf(writtenBackend("a"), writtenBackend("b")))
	s.settles(t, time.Minute)
	s.routesTo(t, "a", "b")
	same(t, "reload error", "", s.Snapshot().ReloadError)
	same(t, "launched", "", s.Launched().Error)
	same(t, "tried to reload", []string{"start", "configuration"}, s.ha.causes())
}

// Whatever configurations follow each other, and whatever commands fail, every worker finally
// has the groups of the last one.
func TestRegroupingsEndExact(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 2))
			s := written(t, "g0")
			s.launch(t)
			var l Layout
			for range 20 {
				var backends []haproxy.Backend
				for n := range 6 {
					if random.IntN(2) > 0 {
						b := writtenBackend(fmt.Sprintf("g%d", n))
						b.DrainTimeout = time.Duration(random.IntN(2)) * time.Minute
						if n == 5 {
							b.Route, b.ACLs = "", []string{"path /g5"}
						}
						backends = append(backends, b)
					}
				}
				l = s.layoutOf(backends...)
				s.rewritten(l)
				if random.IntN(3) == 0 {
					parts := []string{"publish", "unpublish", "map", "add server", "del server", "state", "wait", "enable health", "add backend", "del backend"}
					s.ha.worker(random.IntN(2)).refuse(parts[random.IntN(len(parts))], 1+random.IntN(3))
				}
				if random.IntN(3) > 0 {
					s.step(t.Context())
				}
				s.passes(time.Duration(random.Int64N(int64(time.Minute))))
			}
			for i := range 2 {
				s.ha.worker(i).refuse("", 0)
			}
			for range 3 {
				s.fleet.resyncAt = s.time()
				s.settles(t, 10*time.Minute)
			}
			var all, routed []string
			for i, b := range l.Backends {
				all = append(all, b.Name)
				if b.Route != "" {
					routed = append(routed, b.Name)
				}
				same(t, b.Name, []int{i + 1}, s.inService(b.Name))
			}
			s.routesTo(t, routed...)
			for n := range 6 {
				name := fmt.Sprintf("g%d", n)
				for i := range 2 {
					same(t, name, slices.Contains(all, name), s.ha.worker(i).knows(name))
				}
			}
			same(t, "groups", all, s.names())
		})
	}
}

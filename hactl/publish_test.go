package hactl

import (
	"testing"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// metric returns the value of the first series with these label values; for a
// histogram, the number of observations.
func (s *story) metric(tb testing.TB, name string, labels ...string) float64 {
	tb.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	series:
		for _, m := range f.GetMetric() {
			values := make(map[string]bool)
			for _, l := range m.GetLabel() {
				values[l.GetValue()] = true
			}
			for _, l := range labels {
				if !values[l] {
					continue series
				}
			}
			if h := m.GetHistogram(); h != nil {
				return float64(h.GetSampleCount())
			}
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return 0
}

func TestSnapshotIsReplacedOnlyOnChange(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3), backendOf("api", 3))
	last := s.Snapshot()
	step := func(what string, changes bool, g registry.Group) {
		t.Helper()
		s.SetGroup(g)
		s.absorb(t.Context())
		now := s.Snapshot()
		if (now != last) != changes {
			t.Errorf("%s: a new snapshot: %v", what, now != last)
		}
		last = now
	}
	same(t, "before anything was read", &registry.Snapshot{
		Proxy: "ngboss", Groups: []*registry.Group{{Name: "web"}, {Name: "api"}}, Waiting: []string{"web", "api"},
		Carried: []registry.Carried{{By: "slots"}, {By: "slots"}},
	}, last)
	step("unknown group", false, registry.Group{Name: "other", Instances: instances(1)})
	step("empty group is read", true, registry.Group{Name: "api"})
	same(t, "waiting for", []string{"web"}, last.Waiting)
	list := instances(1, 2)
	step("the other one", true, registry.Group{Name: "web", Instances: list})
	step("the same list", false, registry.Group{Name: "web", Instances: list})
	step("still empty", false, registry.Group{Name: "api"})
	step("one enters", true, registry.Group{Name: "api", Instances: instances(3)})
	var names, registered []string
	for _, g := range last.Groups {
		names = append(names, g.Name)
		for _, i := range g.Instances {
			registered = append(registered, i.String())
		}
	}
	same(t, "groups, in the configuration's order", []string{"web", "api"}, names)
	same(t, "instances", []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"}, registered)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 5), backendOf("api", 2))
	s.SetGroup(registry.Group{Name: "web", Instances: instances(1, 2), Skipped: 3})
	s.set("api")
	s.serve(t)
	s.ha.worker(1).refuse("state ready", 1)
	s.set("api", 7)
	s.serves(t, "entered", "api", 7, 0)
	figures := func() map[string]float64 {
		all := make(map[string]float64)
		for _, group := range []string{"web", "api"} {
			all[group+" registered"] = s.metric(t, "haproxyzk_instances_registered", "ngboss", group)
			all[group+" held"] = s.metric(t, "haproxyzk_instances_held", "ngboss", group)
			all[group+" skipped"] = s.metric(t, "haproxyzk_instances_skipped", "ngboss", group)
			for _, state := range []string{"used", "free"} {
				all[group+" "+state] = s.metric(t, "haproxyzk_slots", "ngboss", group, state)
			}
		}
		all["applied"] = s.metric(t, "haproxyzk_apply_duration_seconds", "ngboss")
		all["commands"] = s.metric(t, "haproxyzk_commands_total", "ngboss", "ok")
		all["errors"] = s.metric(t, "haproxyzk_commands_total", "ngboss", "error")
		return all
	}
	becomes(t, "figures", map[string]float64{
		"web registered": 2, "web held": 0, "web skipped": 3, "web used": 2, "web free": 3,
		"api registered": 1, "api held": 0, "api skipped": 0, "api used": 1, "api free": 1,
		// Two for each worker; the rejected command counts again when it is retried.
		"applied": 2, "commands": 4, "errors": 0,
	}, figures)
	s.ha.worker(0).refuse("state maint", 2)
	s.set("api")
	s.serves(t, "left", "api", 0, 0)
	becomes(t, "errors: refused twice", 1, func() float64 { return figures()["errors"] })
	s.endsWith(t, "start")
	families, err := s.reg.Gather()
	if err != nil || len(families) > 0 {
		t.Errorf("after the end: %v, %v", families, err)
	}
}

package hactl

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSeriesWithKnownLabelsStartAtZero(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.set("web")
	s.serve(t)
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := make(map[string][]string) // values of the labels other than the proxy
	for _, f := range families {
		for _, m := range f.GetMetric() {
			text := ""
			for _, l := range m.GetLabel() {
				if l.GetName() != "proxy" {
					text += l.GetValue() + " "
				}
			}
			series[f.GetName()] = append(series[f.GetName()], text)
		}
	}
	for _, values := range series {
		slices.Sort(values)
	}
	if diff := cmp.Diff(map[string][]string{
		"haproxyzk_apply_duration_seconds":          {""},
		"haproxyzk_backend_changes_total":           {"added ", "deleted ", "refused "},
		"haproxyzk_commands_total":                  {"error ", "ok "},
		"haproxyzk_configuration_changes_total":     {"live ", "reload "},
		"haproxyzk_drift_repaired_total":            {""},
		"haproxyzk_groups_refused_total":            {""},
		"haproxyzk_haproxy_log_lines_dropped_total": {""},
		"haproxyzk_instances_damped":                {"web "},
		"haproxyzk_instances_draining":              {"web "},
		"haproxyzk_instances_held":                  {"web "},
		"haproxyzk_instances_registered":            {"web "},
		"haproxyzk_instances_skipped":               {"web "},
		"haproxyzk_instances_up":                    {"web "},
		"haproxyzk_instances_waiting":               {"web "},
		"haproxyzk_map_drift_repaired_total":        {""},
		"haproxyzk_operator_overrides":              {"web "},
		"haproxyzk_request_log_lines_ignored_total": {""},
		"haproxyzk_socket_request_duration_seconds": {""},
		"haproxyzk_server_deletions_total":          {"busy ", "deleted ", "error "},
		"haproxyzk_servers_refused_total":           {""},
		"haproxyzk_slots":                           {"web free ", "web used "},
	}, series); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestVersionIsThatOfTheProcesses(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	s.set("web", 1)
	s.launch(t)
	reported := func(version string) float64 { return s.metric(t, "haproxyzk_haproxy_info", "ngboss", version) }
	s.resync(t.Context())
	same(t, "the version of the fake workers", 1.0, reported("2.2.9"))
	for i := range 2 {
		s.ha.worker(i).upgrade("3.0.11")
	}
	s.resync(t.Context())
	same(t, "the new version", 1.0, reported("3.0.11"))
	same(t, "the old version", 0.0, reported("2.2.9"))
}

func TestOperatorOverridesAreCounted(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3), backendOf("api", 3))
	s.set("web", 1, 2)
	s.set("api", 3)
	s.launch(t)
	counted := func(group string) float64 {
		s.resync(t.Context())
		s.step(t.Context())
		return s.metric(t, "haproxyzk_operator_overrides", "ngboss", group)
	}
	same(t, "before", 0.0, counted("web"))
	s.ha.worker(0).do("set server web/web1 state drain")
	s.ha.worker(1).do("set server web/web2 weight 30")
	same(t, "one drained, one with a weight", 2.0, counted("web"))
	same(t, "in the other group", 0.0, counted("api"))
	for i := range 2 {
		s.ha.worker(i).do("set server web/web1 state ready")
	}
	same(t, "one is back", 1.0, counted("web"))
}

func TestSocketRequestsAreMeasured(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	s.set("web", 1)
	s.launch(t)
	before := s.metric(t, "haproxyzk_socket_request_duration_seconds", "ngboss")
	s.fleet.heartbeat(t.Context())
	same(t, "one heartbeat of two workers", before+2, s.metric(t, "haproxyzk_socket_request_duration_seconds", "ngboss"))
}

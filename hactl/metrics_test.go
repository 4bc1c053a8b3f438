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
		"haproxyzk_commands_total":                  {"error ", "ok "},
		"haproxyzk_drift_repaired_total":            {""},
		"haproxyzk_groups_refused_total":            {""},
		"haproxyzk_haproxy_log_lines_dropped_total": {""},
		"haproxyzk_instances":                       {"web damped ", "web draining ", "web held ", "web registered ", "web serving ", "web skipped ", "web waiting "},
		"haproxyzk_instances_up":                    {"web "},
		"haproxyzk_map_drift_repaired_total":        {""},
		"haproxyzk_slots":                           {"web free ", "web used "},
	}, series); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

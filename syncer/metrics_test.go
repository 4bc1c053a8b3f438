package syncer

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// gathered returns the sum of the series of each metric.
func gathered(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			got[family.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return got
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	var old, later status
	counters := m.add("p", &old, &notes{})
	counters.sessions.Inc()
	counters.reads.WithLabelValues(resultOK).Inc()
	old.found()
	heard := time.Unix(1500, 0)
	old.heard.Store(&heard)
	want := map[string]float64{
		"haproxyzk_zookeeper_connected":                      1,
		"haproxyzk_zookeeper_last_contact_timestamp_seconds": 1500,
		"haproxyzk_zookeeper_sessions_total":                 1,
		"haproxyzk_zookeeper_reads_total":                    1,
		"haproxyzk_registrations_skipped":                    0,
	}
	if diff := cmp.Diff(want, gathered(t, reg)); diff != "" {
		t.Error(diff)
	}

	// While a proxy has two syncers, the later one counts; the series are removed with the
	// last one.
	m.add("p", &later, &notes{})
	want["haproxyzk_zookeeper_connected"], want["haproxyzk_zookeeper_last_contact_timestamp_seconds"] = 0, 0
	if diff := cmp.Diff(want, gathered(t, reg)); diff != "" {
		t.Error(diff)
	}
	m.remove("p", &old)
	if diff := cmp.Diff(want, gathered(t, reg)); diff != "" {
		t.Error(diff)
	}
	m.remove("p", &later)
	if diff := cmp.Diff(map[string]float64{}, gathered(t, reg)); diff != "" {
		t.Error(diff)
	}
}

// The time of the last contact has a monotonic reading, so steps of the wall clock do
// not change its age.
func TestLastContactIgnoresClockSteps(t *testing.T) {
	var c status
	if last := c.get().Last; !last.IsZero() {
		t.Errorf("heard at %v before anything was", last)
	}
	c.hear()
	if last := c.get().Last; !strings.Contains(last.String(), " m=") {
		t.Errorf("%v has lost its monotonic reading", last)
	}
}

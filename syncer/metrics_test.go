package syncer

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/intake"
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
			got[family.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetHistogram().GetSampleSum()
		}
	}
	return got
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	var old, later status
	var notes intake.Notes
	counters := m.add("p", &old, &notes)
	counters.sessions.Inc()
	counters.reads.WithLabelValues(resultOK).Inc()
	counters.took(opPing, 250*time.Millisecond)
	counters.took(7777, time.Hour)
	old.found("zk:2181")
	heard := time.Unix(1500, 0)
	old.heard.Store(&heard)
	want := map[string]float64{
		"haproxyzk_zookeeper_connected":                      1,
		"haproxyzk_zookeeper_last_contact_timestamp_seconds": 1500,
		"haproxyzk_zookeeper_sessions_total":                 1,
		"haproxyzk_zookeeper_reads_total":                    1,
		"haproxyzk_zookeeper_request_duration_seconds":       0.25,
		"haproxyzk_zookeeper_watch_delay_seconds":            0,
		"haproxyzk_registrations_skipped":                    0,
	}
	if diff := cmp.Diff(want, gathered(t, reg)); diff != "" {
		t.Error(diff)
	}

	// While a proxy has two syncers, the later one counts; the series are removed with the
	// last one.
	m.add("p", &later, &notes)
	want["haproxyzk_zookeeper_connected"], want["haproxyzk_zookeeper_last_contact_timestamp_seconds"] = 0, 0
	if diff := cmp.Diff(want, gathered(t, reg)); diff != "" {
		t.Error(diff)
	}
	m.remove("p", &old, &notes)
	if diff := cmp.Diff(want, gathered(t, reg)); diff != "" {
		t.Error(diff)
	}
	m.remove("p", &later, &notes)
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

// histograms returns count and sum of a histogram by its label op, "" if it has none.
func histograms(t *testing.T, g prometheus.Gatherer, name string) map[string][2]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string][2]float64)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			op := ""
			for _, l := range m.GetLabel() {
				if l.GetName() == "op" {
					op = l.GetValue()
				}
			}
			got[op] = [2]float64{float64(m.GetHistogram().GetSampleCount()), m.GetHistogram().GetSampleSum()}
		}
	}
	return got
}

// Requests are measured from their sending to their answer, of pings too, and a watch
// from its event to the list.
func TestSlowServerIsMeasured(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeServer, c *client) {
		requests := func() map[string][2]float64 {
			return histograms(t, c.metrics, "haproxyzk_zookeeper_request_duration_seconds")
		}
		quick := requests()
		counts := make(map[string]float64)
		for op, request := range quick {
			counts[op] = request[0]
			if request[1] > request[0]*rearmTimeout.Seconds() { // nothing is read before that
				t.Errorf("%v requests %s took %v s", request[0], op, request[1])
			}
		}
		if diff := cmp.Diff(map[string]float64{"children": 2, "exists": 2, "ping": 0, "create": 0, "data": 0, "multi_read": 0, "set_watches": 0}, counts); diff != "" {
			t.Errorf("requests of two groups: -want +got\n%s", diff)
		}
		f.lock(func() { f.slow = 300 * time.Millisecond })
		f.set("/root/g0", "10.0.0.2:80")
		after(5 * time.Second)
		c.expect(3, "g0", "10.0.0.2:80")
		got := requests()
		if n, took := got["children"][0]-quick["children"][0], got["children"][1]-quick["children"][1]; n != 1 || took < 0.29 || took > 0.31 {
			t.Errorf("%v reads took %v s", n, took)
		}
		if pings := got["ping"]; pings[0] == 0 || pings[1]/pings[0] < 0.25 {
			t.Errorf("%v pings took %v s", pings[0], pings[1])
		}
		if delay := histograms(t, c.metrics, "haproxyzk_zookeeper_watch_delay_seconds")[""]; delay[0] != 1 || delay[1] < 0.29 || delay[1] > 0.31 {
			t.Errorf("the delay of %v events was %v s", delay[0], delay[1])
		}
	})
}

// The time without a connection is not the delay of a watch.
func TestLostConnectionIsNoWatchDelay(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeServer, c *client) {
		f.lock(func() { f.mode = idle })
		f.set("/root/g0", "10.0.0.2:80")
		after(time.Second)
		f.drop(refuse)
		after(time.Minute)
		f.drop(serve)
		after(5 * time.Second)
		c.expect(3, "g0", "10.0.0.2:80")
		if delay := histograms(t, c.metrics, "haproxyzk_zookeeper_watch_delay_seconds")[""]; delay[1] > 0 {
			t.Errorf("the delay of %v events was %v s", delay[0], delay[1])
		}
	})
}

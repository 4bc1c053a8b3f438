package supervisor

import "testing"

func TestSeriesWithKnownLabelsExistAtStart(t *testing.T) {
	s := startStage(t, Options{})
	for _, series := range [][]string{
		{"reloads_total", "start", "ok"},
		{"reloads_total", "start", "error"},
		{"reloads_total", "worker died", "ok"},
		{"reloads_total", "signal", "error"},
		{"workers", "running"},
		{"workers", "draining"},
		{"generations", "ngboss"},
		{"worker_exits_total", "died"},
		{"worker_exits_total", "drained"},
		{"worker_exits_total", "killed"},
		{"log_lines_foreign_total", "ngboss"},
	} {
		s.waitForMetric(0, series[0], series[1:]...)
	}
}

package e2e

import (
	"fmt"
	"net/http"
	"strings"
)

// metric returns the sum of a metric's series that have all these labels, each written
// as name="value"; -1 if there is no answer.
func (s *stage) metric(name string, labels ...string) float64 {
	s.t.Helper()
	code, metrics := s.get("/metrics")
	if code != http.StatusOK {
		return -1
	}
	sum := 0.0
lines:
	for line := range strings.Lines(metrics) {
		line = strings.TrimSpace(line)
		space := strings.LastIndexByte(line, ' ') // labels may contain spaces too
		series, value := line[:max(space, 0)], line[space+1:]
		got, rest, _ := strings.Cut(series, "{")
		if got != name {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(rest, label) {
				continue lines
			}
		}
		var n float64
		if _, err := fmt.Sscan(value, &n); err != nil {
			s.t.Fatalf("metric %q: %v", line, err)
		}
		sum += n
	}
	return sum
}

// reaches waits until a metric is at least this high.
func (s *stage) reaches(atLeast float64, name string, labels ...string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s %v", name, labels), func() error {
		if got := s.metric(name, labels...); got < atLeast {
			return fmt.Errorf("%v, not %v", got, atLeast)
		}
		return nil
	})
}

// counts returns nil if a metric has exactly this value.
func (s *stage) counts(want float64, name string, labels ...string) error {
	if got := s.metric(name, labels...); got != want {
		return fmt.Errorf("%s %v is %v, not %v", name, labels, got, want)
	}
	return nil
}

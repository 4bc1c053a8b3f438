package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// wrap puts a shell script between the daemon and HAProxy: it gets HAProxy's
// arguments and the word that the test wrote last with mode.
func (s *stage) wrap(script string) {
	s.t.Helper()
	text := fmt.Sprintf("#!/bin/sh\nhome=%s\nmode=$(cat $home/mode 2>/dev/null)\n%s\nexec %s \"$@\"\n", s.home, script, s.config.HAProxy)
	path := filepath.Join(s.home, "wrapper")
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.config.HAProxy = path
}

func (s *stage) mode(word string) {
	s.t.Helper()
	aside := filepath.Join(s.home, "mode.new")
	if err := os.WriteFile(aside, []byte(word), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(aside, filepath.Join(s.home, "mode")); err != nil {
		s.t.Fatal(err)
	}
}

// metric is the sum of a metric's series that have all these labels, each
// written as name="value".
func (s *stage) metric(name string, labels ...string) float64 {
	s.t.Helper()
	_, metrics := s.get("/metrics")
	sum := 0.0
lines:
	for line := range strings.Lines(metrics) {
		line = strings.TrimSpace(line)
		space := strings.LastIndexByte(line, ' ') // there may be some in labels too
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

// reaches waits until a metric is at least so much.
func (s *stage) reaches(atLeast float64, name string, labels ...string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s %v", name, labels), func() error {
		if got := s.metric(name, labels...); got < atLeast {
			return fmt.Errorf("%v, not %v", got, atLeast)
		}
		return nil
	})
}

package hactl

import (
	"testing"
)

func TestDroppedLogsAreCounted(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	s.set("web", 1)
	s.launch(t)
	dropped := func(first, second int) {
		s.ha.worker(0).drop(first)
		s.ha.worker(1).drop(second)
		s.resync(t.Context())
	}
	counted := func() float64 { return s.metric(t, "haproxyzk_haproxy_log_lines_dropped_total", "ngboss") }
	dropped(3, 0)
	dropped(3, 4)
	dropped(5, 4)
	same(t, "counted", 9.0, counted())
	s.ha.worker(0).drop(6)
	if err := s.replaceGeneration(t.Context(), "signal"); err != nil { // asks the old workers before they end
		t.Fatal(err)
	}
	dropped(1, 1)
	same(t, "counted with the next generation", 12.0, counted())
}

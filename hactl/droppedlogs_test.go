package hactl

import (
	"testing"
	"time"
)

func TestDroppedLogsAreCounted(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	s.set("web", 1)
	s.launch(t)
	dropped := func(first, second int) {
		s.ha.worker(0).drop(first)
		s.ha.worker(1).drop(second)
		s.sweep(t.Context())
	}
	counted := func() float64 { return s.metric(t, "haproxy_process_dropped_logs_total", "ngboss") }
	dropped(3, 0)
	dropped(3, 4)
	dropped(5, 4)
	same(t, "counted", 9.0, counted())
	s.ha.worker(0).drop(6)
	s.reloaded = time.Time{}
	if err := s.reload(t.Context(), "signal"); err != nil { // asks the old ones, before they end
		t.Fatal(err)
	}
	dropped(1, 1)
	same(t, "counted with the next generation", 12.0, counted())
}

package supervisor

import (
	"slices"
	"time"
)

// Generation is the set of processes of one start or reload, until the last of them
// has ended.
type Generation struct {
	// PIDs are those of the processes still alive.
	PIDs []int
	// Draining is true once another generation serves or a stop has begun: the processes
	// only finish their connections.
	Draining bool
	// Since is when it began to serve or, if it drains, to drain.
	Since time.Time
}

// maxGenerations is how many generations may drain unless [Options] say otherwise.
const maxGenerations = 8

// liveGeneration is the state behind a [Generation]; it belongs to Run.
type liveGeneration struct {
	workers []*worker
	since   time.Time
	// printed is the output of HAProxy's start.
	printed string
	// terminating is true once its workers got SIGTERM.
	terminating bool
	// earlier is true if another haproxy-zk process started it.
	earlier bool
	// incomplete is true if its pid file lacks workers because the disk was full.
	incomplete bool
	// unwatched are the pids that cannot be watched: only a parent can without pidfds.
	unwatched []int
}

// Generations returns the living generations: the serving one first, then the draining
// ones, oldest first. Any goroutine may call it; callers must not change the result. A
// reload in progress is not visible in it.
func (h *HAProxy) Generations() []Generation {
	if g := h.generations.Load(); g != nil {
		return *g
	}
	return nil
}

// Crowded reports whether so many generations drain (MaxGenerations) that a reload
// that is not urgent should wait. Any goroutine may call it.
func (h *HAProxy) Crowded() bool {
	draining := 0
	for _, g := range h.Generations() {
		if g.Draining {
			draining++
		}
	}
	limit := h.MaxGenerations
	if limit == 0 {
		limit = maxGenerations
	}
	return draining >= limit
}

// publish updates Generations and the metrics.
func (h *HAProxy) publish() {
	running, draining := 0, 0
	var all []Generation
	if h.current != nil {
		running = len(h.current.workers)
		if running > 0 {
			all = append(all, Generation{PIDs: pidsOf(h.current.workers), Since: h.current.since})
		}
	}
	for _, g := range h.draining {
		draining += len(g.workers)
		all = append(all, Generation{PIDs: pidsOf(g.workers), Draining: true, Since: g.since})
	}
	h.generations.Store(&all)
	h.Metrics.workers.WithLabelValues(h.Proxy, "running").Set(float64(running))
	h.Metrics.workers.WithLabelValues(h.Proxy, "draining").Set(float64(draining))
	h.Metrics.generations.WithLabelValues(h.Proxy).Set(float64(len(all)))
}

// removeEnded removes a worker that has ended from its generation, and drained
// generations without workers.
func (h *HAProxy) removeEnded(e exit) {
	e.generation.workers = slices.DeleteFunc(e.generation.workers, func(w *worker) bool { return w == e.worker })
	h.draining = slices.DeleteFunc(h.draining, func(g *liveGeneration) bool { return len(g.workers) == 0 })
}

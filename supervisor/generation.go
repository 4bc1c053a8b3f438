package supervisor

import (
	"slices"
	"time"
)

// Generation is what one start or reload brought, as long as one of its
// processes lives.
type Generation struct {
	// PIDs are those of the processes that live.
	PIDs []int
	// Draining is true once another generation serves, or a stop began: its
	// processes only finish their connections.
	Draining bool
	// Since is when it came to serve or, draining, when that ended.
	Since time.Time
}

// maxGenerations is how many may drain unless [Options] say otherwise.
const maxGenerations = 8

// generation is a [Generation] as Run has it.
type generation struct {
	workers []*worker
	since   time.Time
	// said is what HAProxy printed when it was started.
	said string
	// ending is true when its workers were told to end at once.
	ending bool
	// earlier is true when another process of ours started it.
	earlier bool
	// torn is true when the pid file has not got all of them, the disk being full.
	torn bool
	// unwatched are its pids where the kernel lets nobody but a parent watch them.
	unwatched []int
}

// Generations returns those that live: the one that serves first, then the
// others, the oldest first. Any goroutine may call it; nobody may change the
// result. It is as after the latest event: a reload under way does not show.
func (h *HAProxy) Generations() []Generation {
	if g := h.generations.Load(); g != nil {
		return *g
	}
	return nil
}

// Crowded tells whether so many generations drain (MaxGenerations) that a reload
// that is not urgent should wait until some have ended. Any goroutine may call it.
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

// measure makes what Run knows visible.
func (h *HAProxy) measure() {
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

// forgetEnded removes a worker that has ended from its generation, and
// generations that have none left from those that drain.
func (h *HAProxy) forgetEnded(e exit) {
	e.generation.workers = slices.DeleteFunc(e.generation.workers, func(w *worker) bool { return w == e.worker })
	h.draining = slices.DeleteFunc(h.draining, func(g *generation) bool { return len(g.workers) == 0 })
}

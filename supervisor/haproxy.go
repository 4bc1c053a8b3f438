package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// ErrStopped is what [HAProxy.Reload] returns once Run is over or about to be.
var ErrStopped = errors.New("HAProxy is being stopped")

// Prober finds out which processes answer on HAProxy's stats sockets.
type Prober interface {
	// Probe asks until each of pids has answered or ctx is done, and returns
	// those that have, each with the path of a socket.
	Probe(ctx context.Context, pids []int) map[int]string
}

// Options of an [HAProxy].
type Options struct {
	Proxy string
	// Exec is the path of the executable.
	Exec     string
	ConfFile string
	PIDFile  string
	// Sockets are removed after a stop.
	Sockets []string
	// StopGrace is how long connections may take to end after a stop.
	StopGrace time.Duration
	// HardStopAfter is how long those of a replaced generation may; 0 is for ever.
	HardStopAfter time.Duration
	Reaper        *Reaper
	Prober        Prober
	Logger        *slog.Logger
	Metrics       *Metrics
}

// HAProxy is the HAProxy of one proxy: the processes of the generation that
// serves, and those of earlier ones that finish their connections.
type HAProxy struct {
	Options

	requests chan request
	died     chan int
	over     chan struct{} // closed when Run takes no more requests

	// What follows belongs to Run.

	current  *generation
	draining []*generation
	exits    chan exit
	watchers sync.WaitGroup
}

// generation is what one start or reload brought.
type generation struct {
	workers []*Child
	// replaced is when the next generation took over.
	replaced time.Time
	// ending is true when its workers were told to end at once.
	ending bool
}

type request struct {
	ctx    context.Context
	launch registry.Launch
	reply  chan<- answer
}

type answer struct {
	pids []int
	err  error
}

type exit struct {
	generation *generation
	child      *Child
}

// maxDied is how many deaths wait to be heard; a generation has at most 64 processes.
const maxDied = 256

// endWithin is how long a process may take to end after SIGTERM.
const endWithin = time.Second

// New returns an HAProxy that waits to be run.
func New(o Options) *HAProxy {
	return &HAProxy{
		Options:  o,
		requests: make(chan request),
		died:     make(chan int, maxDied),
		over:     make(chan struct{}),
		exits:    make(chan exit),
	}
}

// Died gives the pid of a worker of the serving generation that ended although
// nobody told it to.
func (h *HAProxy) Died() <-chan int { return h.died }

// Reload makes a configuration the running one, in place of the generation that
// serves, if there is one. It returns the pids of the new workers once all of
// them answer on the stats sockets and the old ones were told to finish. On
// error what served before still serves, and the files are as they were; an
// error that wraps [ErrRefused] says that HAProxy does not accept the
// configuration. Calls queue up.
func (h *HAProxy) Reload(ctx context.Context, launch registry.Launch) ([]int, error) {
	reply := make(chan answer, 1)
	select {
	case h.requests <- request{ctx, launch, reply}:
	case <-h.over:
		return nil, ErrStopped
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a := <-reply
	return a.pids, a.err
}

// Run owns the processes until ctx is done; then it stops them in order and
// returns when all have ended. It starts none by itself: [HAProxy.Reload] does.
func (h *HAProxy) Run(ctx context.Context) error {
	defer h.Metrics.forget(h.Proxy)
	locked, err := lock(h.PIDFile + ".lock")
	if err != nil {
		close(h.over)
		return err
	}
	defer locked.Close()
	for {
		timer := time.NewTimer(h.untilHardStop())
		select {
		case <-ctx.Done():
			timer.Stop()
			close(h.over)
			return h.stop()
		case r := <-h.requests:
			both, cancel := context.WithCancel(r.ctx)
			stop := context.AfterFunc(ctx, cancel)
			pids, err := h.reload(both, r.launch)
			stop()
			cancel()
			h.count(r.launch.Cause, err)
			if err != nil && ctx.Err() != nil {
				err = fmt.Errorf("%w: %w", ErrStopped, err)
			}
			r.reply <- answer{pids, err}
		case e := <-h.exits:
			h.exited(e)
		case <-timer.C:
			h.hardStop()
		}
		timer.Stop()
		h.measure()
	}
}

// watch makes a child's end an event of Run.
func (h *HAProxy) watch(g *generation, child *Child) {
	h.watchers.Go(func() {
		<-child.Done()
		h.exits <- exit{g, child}
	})
}

func (h *HAProxy) exited(e exit) {
	g, pid := e.generation, e.child.PID
	g.workers = slices.DeleteFunc(g.workers, func(c *Child) bool { return c == e.child })
	how := describe(e.child.Status())
	switch {
	case g.ending || g != h.current && e.child.Status().Signaled():
		h.Metrics.exits.WithLabelValues(h.Proxy, "killed").Inc()
		h.Logger.Info("a worker was ended, its connections were cut", "pid", pid, "status", how)
	case g == h.current:
		h.Metrics.exits.WithLabelValues(h.Proxy, "died").Inc()
		h.Logger.Error("a worker died, its connections were cut and the others carry its load until it is replaced", "pid", pid, "status", how)
		select {
		case h.died <- pid:
		default: // nobody listens, and enough is known
		}
	default:
		h.Metrics.exits.WithLabelValues(h.Proxy, "drained").Inc()
		h.Logger.Info("a worker has finished its connections", "pid", pid, "status", how)
	}
	h.draining = slices.DeleteFunc(h.draining, func(g *generation) bool { return len(g.workers) == 0 })
}

// untilHardStop is how long the oldest generation may still take.
func (h *HAProxy) untilHardStop() time.Duration {
	wait := time.Hour
	if h.HardStopAfter > 0 {
		for _, g := range h.draining {
			if !g.ending {
				wait = min(wait, time.Until(g.replaced.Add(h.HardStopAfter)))
			}
		}
	}
	return wait
}

func (h *HAProxy) hardStop() {
	for _, g := range h.draining {
		if h.HardStopAfter > 0 && !g.ending && time.Since(g.replaced) >= h.HardStopAfter {
			h.Logger.Warn("cutting connections that a replaced generation still has", "hard_stop_after", h.HardStopAfter, "workers", len(g.workers))
			g.ending = true
			h.terminate(slices.Clone(g.workers))
		}
	}
}

// stop lets connections finish within the grace, then ends what is left.
func (h *HAProxy) stop() error {
	generations := h.draining
	if h.current != nil {
		generations = append(generations, h.current)
		h.draining, h.current = generations, nil
	}
	for _, g := range generations {
		g.replaced = time.Now()
		h.signal(g.workers, unix.SIGUSR1)
	}
	if h.await(h.StopGrace) > 0 {
		h.Logger.Warn("the grace is over, cutting the connections that are left", "stop_grace", h.StopGrace)
		for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
			for _, g := range h.draining {
				g.ending = true
				h.signal(g.workers, sig)
			}
			if h.await(endWithin) == 0 {
				break
			}
		}
	}
	h.await(-1) // a killed process ends for certain
	h.watchers.Wait()
	var problems []error
	for _, path := range append([]string{h.PIDFile}, h.Sockets...) {
		if err := remove(path); err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("remove what the stopped HAProxy left: %w", err)
	}
	return nil
}

// await takes exits until no worker is left or the time is over (negative: for
// ever), and returns how many are left.
func (h *HAProxy) await(within time.Duration) int {
	var timeout <-chan time.Time
	if within >= 0 {
		timer := time.NewTimer(within)
		defer timer.Stop()
		timeout = timer.C
	}
	for {
		h.measure()
		left := 0
		for _, g := range h.draining {
			left += len(g.workers)
		}
		if left == 0 {
			return 0
		}
		select {
		case e := <-h.exits:
			h.exited(e)
		case <-timeout:
			return left
		}
	}
}

func (h *HAProxy) signal(workers []*Child, sig unix.Signal) {
	for _, w := range workers {
		if err := w.signal(sig); err != nil {
			h.Logger.Error("cannot signal a worker", "error", err)
		}
	}
}

// terminate ends workers, by force those that have not ended when the timer fires.
func (h *HAProxy) terminate(workers []*Child) *time.Timer {
	h.signal(workers, unix.SIGTERM)
	return time.AfterFunc(endWithin, func() { h.signal(workers, unix.SIGKILL) })
}

func (h *HAProxy) measure() {
	running, draining := 0, 0
	if h.current != nil {
		running = len(h.current.workers)
	}
	for _, g := range h.draining {
		draining += len(g.workers)
	}
	h.Metrics.workers.WithLabelValues(h.Proxy, "running").Set(float64(running))
	h.Metrics.workers.WithLabelValues(h.Proxy, "draining").Set(float64(draining))
}

func (h *HAProxy) count(cause string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	h.Metrics.reloads.WithLabelValues(h.Proxy, cause, result).Inc()
}

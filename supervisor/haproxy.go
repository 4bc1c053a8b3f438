package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// ErrStopped is what [HAProxy.Reload] returns once Run is over or about to be.
var ErrStopped = errors.New("HAProxy is being stopped")

// Prober finds out which processes answer on HAProxy's stats sockets.
type Prober interface {
	// Probe asks until each of pids has answered or ctx is done, and returns
	// those that have, each with the path of a socket. An error says that this
	// process could not ask: of those that are missing nothing is known.
	Probe(ctx context.Context, pids []int) (map[int]string, error)
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
	// Soft is asked when a stop begins: the grace does not begin before the
	// channel that it returns is closed. A nil Soft or channel is at once.
	Soft func() <-chan struct{}
	// Hurry is closed when the grace is over whatever is left of it; nil is never.
	Hurry <-chan struct{}
	// Detach is closed before Run's ctx is done when all processes are to be left
	// as they are, with their files; nil is never.
	Detach <-chan struct{}
	// HardStopAfter is how long those of a replaced generation may; 0 is for ever.
	HardStopAfter time.Duration
	// MaxGenerations is how many may drain before [HAProxy.Crowded]; 0 is 8.
	MaxGenerations int
	Reaper         *Reaper
	Prober         Prober
	Logger         *slog.Logger
	Metrics        *Metrics
}

// HAProxy is the HAProxy of one proxy: the processes of the generation that
// serves, and those of earlier ones that finish their connections.
type HAProxy struct {
	Options

	requests    chan request
	died        chan int
	over        chan struct{} // closed when Run takes no more requests
	generations atomic.Pointer[[]Generation]
	limits      atomic.Pointer[limits] // nil: as they are
	// openStranger is the function of that name but in tests.
	openStranger func(pid int) (*stranger, error)

	// What follows belongs to Run.

	took     time.Duration // of the last reload; 0: there was none
	current  *generation
	draining []*generation
	exits    chan exit
	gaveUp   chan struct{} // closed when no more exits are taken
	watchers sync.WaitGroup
	mending  mending
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
	worker     *worker
}

// maxDied is how many deaths wait to be heard; a generation has at most 64 processes.
const maxDied = 256

const (
	// endWithin is how long a process may take to end when it is told to at once.
	endWithin = time.Second
	// killedWithin is how long one may that was killed: the kernel frees its memory.
	// Longer takes who waits for a disk for ever, or may not be signalled.
	killedWithin = 5 * time.Second
)

// New returns an HAProxy that waits to be run.
func New(o Options) *HAProxy {
	return &HAProxy{
		Options:      o,
		requests:     make(chan request),
		died:         make(chan int, maxDied),
		over:         make(chan struct{}),
		exits:        make(chan exit),
		gaveUp:       make(chan struct{}),
		openStranger: openStranger,
	}
}

// Died gives the pid of a worker of the serving generation that ended although
// nobody told it to.
func (h *HAProxy) Died() <-chan int { return h.died }

// Reload makes a configuration the running one, in place of the generation that
// serves, if there is one. It returns the pids of the new workers once all of
// them answer on the stats sockets and the old ones were told to finish. On
// error what served before still serves, and the files are as they were; an
// error that wraps [registry.ErrRefused] says that HAProxy does not accept the
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
// The first one takes over from an HAProxy of this proxy that another process of
// ours left running. Where it has not come to that, a stop ends that one too, but
// a failure leaves it serving: that is, when ctx has a cause of its own.
func (h *HAProxy) Run(ctx context.Context) error {
	defer h.Metrics.forget(h.Proxy)
	locked, err := lock(h.PIDFile + ".lock")
	if err != nil {
		close(h.over)
		return err
	}
	defer locked.Close()
	for {
		h.takeLimits()
		timer := time.NewTimer(h.untilNext())
		select {
		case <-ctx.Done():
			timer.Stop()
			h.takeLimits()
			close(h.over)
			if h.detached() {
				h.Logger.Info("leaving HAProxy serving", "generations", len(h.Generations()))
				return nil
			}
			if h.current == nil && errors.Is(context.Cause(ctx), context.Canceled) {
				h.takeOver()
			}
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
			h.measure()
			r.reply <- answer{pids, err}
		case e := <-h.exits:
			h.exited(e)
		case <-timer.C:
			h.hardStop()
			h.mend()
		}
		timer.Stop()
		h.measure()
	}
}

// watch makes the ends of a generation's workers events of Run.
func (h *HAProxy) watch(g *generation) {
	for _, w := range g.workers {
		h.watchers.Go(func() {
			select {
			case <-w.Done():
			case <-h.gaveUp:
				return
			}
			select {
			case h.exits <- exit{g, w}:
			case <-h.gaveUp:
			}
		})
	}
}

func (h *HAProxy) exited(e exit) {
	h.forgetEnded(e)
	serving := e.generation == h.current
	reason := e.worker.reason()
	if serving {
		reason = "died" // nobody told it to
	}
	h.Metrics.exits.WithLabelValues(h.Proxy, reason).Inc()
	log := h.Logger.With("pid", e.worker.pid, "status", e.worker.status())
	switch {
	case serving:
		log.Error("a worker died, its connections were cut and the others carry its load until it is replaced")
		select {
		case h.died <- e.worker.pid:
		default: // nobody listens, and enough is known
		}
	case reason == "died":
		log.Error("a worker died while it finished its connections, they were cut")
	case reason == "killed":
		log.Info("a worker was ended, its connections were cut")
	default:
		log.Info("a worker has finished its connections")
	}
}

type limits struct{ stopGrace, hardStopAfter time.Duration }

// SetLimits replaces StopGrace and HardStopAfter, for the next stop and from the
// next reload on. It does not block and may be called from any goroutine.
func (h *HAProxy) SetLimits(stopGrace, hardStopAfter time.Duration) {
	h.limits.Store(&limits{stopGrace, hardStopAfter})
}

func (h *HAProxy) takeLimits() {
	if l := h.limits.Swap(nil); l != nil {
		h.StopGrace, h.HardStopAfter = l.stopGrace, l.hardStopAfter
	}
}

// untilNext is how long there is nothing to do by itself: as long as the oldest
// generation may still take, and until the pid file is tried again.
func (h *HAProxy) untilNext() time.Duration {
	wait := time.Hour
	if !h.mending.at.IsZero() {
		wait = min(wait, time.Until(h.mending.at))
	}
	if h.HardStopAfter > 0 {
		for _, g := range h.draining {
			if !g.ending {
				wait = min(wait, time.Until(g.since.Add(h.HardStopAfter)))
			}
		}
	}
	return wait
}

func (h *HAProxy) hardStop() {
	for _, g := range h.draining {
		if h.HardStopAfter > 0 && !g.ending && time.Since(g.since) >= h.HardStopAfter {
			h.Logger.Warn("cutting the sessions that a replaced generation still has", "hard_stop_after", h.HardStopAfter, "pids", pidsOf(g.workers))
			g.ending = true
			h.terminate(slices.Clone(g.workers))
		}
	}
}

func (h *HAProxy) detached() bool {
	select {
	case <-h.Detach:
		return true
	default:
		return false
	}
}

func (h *HAProxy) signal(workers []*worker, sig unix.Signal) {
	for _, w := range workers {
		if err := w.signal(sig); err != nil {
			h.Logger.Error("cannot signal a worker", "error", err)
		}
	}
}

// terminate ends workers, by force those that have not ended when the timer fires.
func (h *HAProxy) terminate(workers []*worker) *time.Timer {
	h.signal(workers, unix.SIGTERM)
	return time.AfterFunc(endWithin, func() { h.signal(workers, unix.SIGKILL) })
}

func (h *HAProxy) count(cause string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	h.Metrics.reloads.WithLabelValues(h.Proxy, cause, result).Inc()
}

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

// ErrStopped is returned by [HAProxy.Reload] once Run has returned or is about to.
var ErrStopped = errors.New("HAProxy is being stopped")

// Prober finds out which processes answer on HAProxy's stats sockets.
type Prober interface {
	// Probe waits until each of pids has answered or ctx is done, and returns those that
	// have, each with the path of a socket. An error means that this process could not
	// probe: the missing ones may be healthy.
	Probe(ctx context.Context, pids []int) (map[int]string, error)
}

// Options of an [HAProxy].
type Options struct {
	Proxy string
	// Exec is the path of the executable.
	Exec     string
	ConfFile string
	// PIDFile and Sockets are empty if another process created the files.
	PIDFile string
	// Record is the path of a file that lists HAProxy's processes for the next start of
	// haproxy-zk, in an existing directory; empty disables it. See [Recorded].
	Record string
	// WorkerUID is the user to which HAProxy's workers switch; 0 means that they do not.
	WorkerUID int
	// Sockets are removed after a stop.
	Sockets []string
	// StopGrace is how long connections may take to end after a stop.
	StopGrace time.Duration
	// GraceStarts is called when a stop begins: the grace period starts when the returned
	// channel is closed. With a nil GraceStarts or channel it starts at once.
	GraceStarts func() <-chan struct{}
	// GraceOver is closed to end the grace period early; nil never is.
	GraceOver <-chan struct{}
	// Detach is closed before Run's ctx is done to leave all processes and their files as
	// they are; nil never is.
	Detach <-chan struct{}
	// HardStopAfter limits how long a replaced generation may drain; 0 is no limit.
	HardStopAfter time.Duration
	// MaxGenerations is how many generations may drain before [HAProxy.Crowded] reports
	// true; 0 is 8.
	MaxGenerations int
	// ListenerHold is how long HAProxy's listening sockets stay open while none of its
	// processes serves; 0 means that they are not kept.
	ListenerHold time.Duration
	// TakeListeners returns the listening sockets of a generation, given one or more pids of
	// it, by ctx's deadline. It may be nil if ListenerHold stays 0.
	TakeListeners func(ctx context.Context, pids []int) (Listeners, error)
	// HandoverSocket is the path of a unix socket that exists during each launch, in an
	// existing directory: there HAProxy finds the kept listening sockets.
	HandoverSocket string
	// Vacant is called before each launch with its configuration and the running one, which
	// is empty if none of this proxy runs. Its error, for an address that only the first
	// has and another process listens on, fails the launch. It may be nil.
	Vacant func(config, running []byte) error
	// Releasing is called during a reload once the new generation is proven, before the old
	// one is asked to finish: the reload waits for it. It may be nil.
	Releasing func(ctx context.Context)
	// Said is called with the output of each start of HAProxy, which is mostly empty.
	// Calls do not overlap; it may be nil.
	Said func(text string)
	// Report receives the exits of HAProxy's processes, without the name of the proxy. It
	// must not block; nil discards them.
	Report  func(registry.Event)
	Reaper  *Reaper
	Prober  Prober
	Logger  *slog.Logger
	Metrics *Metrics
}

// HAProxy manages the HAProxy processes of one proxy: those of the serving generation,
// and those of earlier ones that drain.
type HAProxy struct {
	Options

	requests    chan request
	deaths      chan int
	over        chan struct{} // closed when Run accepts no more requests
	generations atomic.Pointer[[]Generation]
	limits      atomic.Pointer[limits] // nil: unchanged
	newLimits   chan struct{}
	listeners   *listeners
	update      update
	// openForeignProcess is replaced in tests.
	openForeignProcess func(pid int) (*foreignProcess, error)

	// The fields below belong to Run.
	lastReload     time.Duration // zero before the first reload
	current        *liveGeneration
	draining       []*liveGeneration
	exits          chan exit
	stopWatching   chan struct{} // closed when Run no longer receives exits
	watchers       sync.WaitGroup
	pidFileRewrite pidFileRewrite
	reported       map[identity]bool // foreign processes already logged
	// inherited are the processes of this proxy that existed before Run.
	inherited []int
}

type request struct {
	ctx    context.Context
	launch registry.Launch
	adopt  bool // else reload
	reply  chan<- answer
}

type answer struct {
	pids []int
	err  error
}

type exit struct {
	generation *liveGeneration
	worker     *worker
}

// maxDeaths bounds the deaths that nobody has received yet; a generation has at most
// 64 processes.
const maxDeaths = 256

const (
	// endWithin is how long a process may take to end after SIGTERM.
	endWithin = time.Second
	// killedWithin is how long a process may take to end after SIGKILL: the kernel frees
	// its memory. Longer means uninterruptible I/O or a missing permission.
	killedWithin = 5 * time.Second
)

// New returns an HAProxy that is ready for Run.
func New(o Options) *HAProxy {
	h := &HAProxy{
		Options:            o,
		requests:           make(chan request),
		deaths:             make(chan int, maxDeaths),
		over:               make(chan struct{}),
		exits:              make(chan exit),
		stopWatching:       make(chan struct{}),
		newLimits:          make(chan struct{}, 1),
		update:             newUpdate(),
		openForeignProcess: openForeignProcess,
	}
	if h.Report == nil {
		h.Report = func(registry.Event) {}
	}
	h.listeners = newListeners(h.countListeners)
	return h
}

// Died returns a channel of the pids of serving workers that ended without being asked
// to.
func (h *HAProxy) Died() <-chan int { return h.deaths }

// Reload starts a generation with a new configuration in place of the serving one, if
// there is one. It returns the pids of the new workers once all of them answer on the
// stats sockets and the old ones have been asked to finish. On error the previous
// generation still serves and the files are unchanged; an error that wraps
// [registry.ErrRefused] means that HAProxy rejected the configuration. Calls queue up.
func (h *HAProxy) Reload(ctx context.Context, launch registry.Launch) ([]int, error) {
	return h.submit(request{ctx: ctx, launch: launch})
}

func (h *HAProxy) submit(r request) ([]int, error) {
	reply := make(chan answer, 1)
	r.reply = reply
	select {
	case h.requests <- r:
	case <-h.over:
		return nil, ErrStopped
	case <-r.ctx.Done():
		return nil, r.ctx.Err()
	}
	a := <-reply
	return a.pids, a.err
}

// Run owns the processes until ctx is done; then it stops them in order and returns
// when all have ended. It starts none by itself: [HAProxy.Reload] does. Unless
// [HAProxy.Adopt] succeeded, the first Reload takes over from an HAProxy of this proxy
// that an earlier haproxy-zk left running. If neither happened, a stop ends that
// HAProxy too, but a failure, which is a ctx with a cause of its own, leaves it serving.
func (h *HAProxy) Run(ctx context.Context) error {
	h.Metrics.addProxy(h.Proxy)
	defer h.Metrics.removeProxy(h.Proxy)
	locked, err := lock(h.PIDFile + ".lock")
	if err != nil {
		close(h.over)
		return err
	}
	defer locked.Close()
	if err := h.clearSockets(); err != nil {
		close(h.over)
		return err
	}
	// The list only matters for children of this process; on error it is empty.
	h.inherited, _ = h.processes()
	for {
		h.takeLimits()
		timer := time.NewTimer(h.untilNext())
		select {
		case <-ctx.Done():
			timer.Stop()
			h.takeLimits()
			close(h.over)
			h.listeners.close()
			h.stopUpdates()
			if h.detached() {
				h.Logger.Info("leaving HAProxy serving", "generations", len(h.Generations()))
				left := h.workers()
				if h.current != nil {
					left = append(left, h.current.workers...)
				}
				h.unwatch(left)
				return nil
			}
			requested := errors.Is(context.Cause(ctx), context.Canceled)
			if h.current == nil && requested {
				h.takeOver()
			}
			return h.stop(requested)
		case r := <-h.requests:
			r.reply <- h.handle(ctx, r)
		case e := <-h.exits:
			h.exited(e)
			h.holdListeners()
		case <-h.newLimits:
		case <-h.update.wake:
			h.beginUpdate()
		case err := <-h.update.done():
			h.endUpdate(err)
		case <-timer.C:
			h.hardStop()
			h.rewritePIDFile()
			h.retryUpdate()
			h.renewListeners(ctx)
		}
		timer.Stop()
		h.publish()
	}
}

// handle handles a request until ctx, which is Run's, or that of the request is done.
func (h *HAProxy) handle(ctx context.Context, r request) (a answer) {
	both, cancel := context.WithCancel(r.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	if r.adopt {
		a.pids, a.err = h.adoptEarlier(both, r.launch)
	} else {
		a.pids, a.err = h.handleReload(both, r.launch)
		h.count(r.launch.Cause, a.err)
	}
	if a.err != nil && ctx.Err() != nil {
		a.err = fmt.Errorf("%w: %w", ErrStopped, a.err)
	}
	h.publish()
	return a
}

// watch delivers the exits of a generation's workers to Run.
func (h *HAProxy) watch(g *liveGeneration) {
	for _, w := range g.workers {
		h.watchers.Go(func() {
			select {
			case <-w.Done():
			case <-h.stopWatching:
				return
			}
			select {
			case h.exits <- exit{g, w}:
			case <-h.stopWatching:
			}
		})
	}
}

func (h *HAProxy) exited(e exit) {
	h.removeEnded(e)
	serving := e.generation == h.current
	reason := e.worker.reason()
	if serving {
		reason = "died" // it was not asked to end
	}
	h.Metrics.exits.WithLabelValues(h.Proxy, reason).Inc()
	h.Report(registry.Event{Kind: registry.EventWorkerExit, Reason: reason, Detail: fmt.Sprintf("process %d: %s", e.worker.pid, e.worker.exitStatus())})
	log := h.Logger.With("pid", e.worker.pid, "status", e.worker.exitStatus())
	switch {
	case serving:
		log.Error("worker died, its connections were cut; replacing it while the others carry its load")
		select {
		case h.deaths <- e.worker.pid:
		default: // nobody receives, and enough deaths are queued
		}
	case reason == "died":
		log.Error("draining worker died, its connections were cut")
	case reason == "killed":
		log.Info("worker was killed, its connections were cut")
	default:
		log.Info("worker finished its connections and exited")
	}
}

// untilNext returns the time until the next hard stop, attempt to write a file or to take
// the listening sockets.
func (h *HAProxy) untilNext() time.Duration {
	wait := time.Hour
	for _, at := range []time.Time{h.listeners.takeAt, h.pidFileRewrite.at, h.update.at} {
		if !at.IsZero() {
			wait = min(wait, time.Until(at))
		}
	}
	if h.HardStopAfter > 0 {
		for _, g := range h.draining {
			if !g.terminating {
				wait = min(wait, time.Until(g.since.Add(h.HardStopAfter)))
			}
		}
	}
	return wait
}

func (h *HAProxy) hardStop() {
	for _, g := range h.draining {
		if h.HardStopAfter > 0 && !g.terminating && time.Since(g.since) >= h.HardStopAfter {
			h.Logger.Warn("killing an old generation, its remaining sessions are cut", "hard_stop_after", h.HardStopAfter, "pids", pidsOf(g.workers))
			g.terminating = true
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

func (h *HAProxy) sendSignal(workers []*worker, sig unix.Signal) {
	for _, w := range workers {
		if err := w.sendSignal(sig); err != nil {
			h.Logger.Error("cannot signal a worker", "error", err)
		}
	}
}

// terminate sends SIGTERM, and SIGKILL to workers still alive when the timer fires.
func (h *HAProxy) terminate(workers []*worker) *time.Timer {
	h.sendSignal(workers, unix.SIGTERM)
	return time.AfterFunc(endWithin, func() { h.sendSignal(workers, unix.SIGKILL) })
}

func (h *HAProxy) countListeners(kept int) {
	h.Metrics.listeners.WithLabelValues(h.Proxy).Set(float64(kept))
}

func (h *HAProxy) count(cause string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	h.Metrics.reloads.WithLabelValues(h.Proxy, cause, result).Inc()
}

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// confMode is the mode of the configuration, which contains passwords.
const confMode = 0o600

const (
	// 20,000 servers take HAProxy 2.0 half a second on two cores; an emulated processor is
	// some twenty times slower.
	checkWithin  = 60 * time.Second
	launchWithin = 60 * time.Second
	proveWithin  = 5 * time.Second
	// New instances wait while a reload runs, so one that takes much longer than the last
	// one is aborted.
	reloadWithin, timesLast = 5 * time.Second, 10
	// A healthy serving generation answers in a millisecond.
	probeWithin, recheckWithin = time.Second, 300 * time.Millisecond
)

// Check asks HAProxy whether it accepts the configuration in a file, and returns its
// output. It takes at most a minute. If HAProxy rejects the configuration, the error
// wraps [registry.ErrRefused] and an [*ExitError].
func Check(ctx context.Context, reaper *Reaper, path, file string) (output string, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	output, err = reaper.Output(ctx, path, "-c", "-f", file)
	if exit, ran := errors.AsType[*ExitError](err); ran && exit.Status.Exited() {
		return output, fmt.Errorf("%w: %w", registry.ErrRefused, err)
	}
	return output, err
}

// handleReload starts a generation beside the serving one and releases the old one once
// the new one is proven. `-sf` alone would signal the old generation before the proof:
// a start that fails with -sf has already taken the old one's listeners. A start that
// fails without it has changed nothing, so there is no need for `haproxy -c` first,
// which takes as long as the start itself.
func (h *HAProxy) handleReload(ctx context.Context, launch registry.Launch) (pids []int, err error) {
	switch warning, err := raiseFiles(launch.FilesWanted, launch.FilesNeeded); {
	case err != nil:
		return nil, err
	case warning != "" && h.current == nil:
		h.Logger.Warn("too few open files", "problem", warning)
	}
	waiting, cancel := context.WithTimeout(ctx, h.reloadTimeout())
	defer cancel()
	resume, err := h.suspendUpdate(waiting)
	if err != nil {
		return nil, err
	}
	defer func() { resume(&launch, err) }()
	old := h.current
	if old == nil {
		if old = h.findEarlier(); old != nil {
			h.logTakeover(old)
		}
	}
	defer func() {
		if err != nil && old != nil && old.earlier {
			h.abandon(old)
			h.listeners.keep(nil)
		}
	}()
	if err := h.findVacant(ctx, old, launch.Config); err != nil {
		return nil, err
	}
	replaced, err := h.replaceFiles(launch)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			if err := replaced.discard(); err != nil {
				h.Logger.Warn("cannot remove files of the previous HAProxy", "error", err)
			}
			return
		}
		limited, cancel := context.WithTimeout(ctx, h.reloadTimeout()) // updates are still waiting
		defer cancel()
		err = h.explainFailure(limited, launch.Config, err)
		err = errors.Join(err, replaced.restore())
	}()
	begun := time.Now()
	limited, cancel := context.WithTimeout(ctx, h.reloadTimeout())
	defer cancel()
	next, silent, err := h.startProven(limited, old)
	if err != nil {
		if limited.Err() != nil && ctx.Err() == nil {
			h.extendReloadTimeout(time.Since(begun))
		}
		return nil, err
	}
	next.since = time.Now()
	h.lastReload = next.since.Sub(begun)
	if old != nil && h.Releasing != nil {
		h.Releasing(ctx)
	}
	h.writeProof(launch.Shape, next, old)
	h.putIntoService(next, old, silent)
	pids = pidsOf(next.workers)
	h.Logger.Info("HAProxy is serving", "cause", launch.Cause, "workers", pids)
	return pids, nil
}

// putIntoService makes a proven generation the serving one, in place of the old one if
// there is one.
func (h *HAProxy) putIntoService(next, old *liveGeneration, silent []*worker) {
	if old != nil {
		h.replace(old, silent)
	}
	h.current = next
	h.listeners.serving()
	h.watch(next)
	h.schedulePIDFileRewrite(next.incomplete)
}

// reloadTimeout returns how long a reload may take from the launch to the proof.
func (h *HAProxy) reloadTimeout() time.Duration {
	if h.lastReload == 0 {
		return launchWithin + proveWithin
	}
	return min(max(reloadWithin, timesLast*h.lastReload), launchWithin+proveWithin)
}

// extendReloadTimeout lets the next reload take twice as long as an aborted one: the
// configuration may have grown, or the machine may be slower.
func (h *HAProxy) extendReloadTimeout(after time.Duration) {
	h.lastReload = max(h.lastReload, 2*after/timesLast)
}

// startProven starts a generation with startSuccessor and proves it.
func (h *HAProxy) startProven(ctx context.Context, old *liveGeneration) (next *liveGeneration, silent []*worker, err error) {
	defer h.holdMeanwhile(old)()
	next, silent, err = h.startSuccessor(ctx, old)
	if err != nil {
		return nil, nil, err
	}
	if err := h.prove(ctx, next); err != nil {
		h.retire(next)
		return nil, nil, err
	}
	return next, silent, nil
}

// startSuccessor starts a generation that takes the listeners of the old one, if there
// is one, and returns which of the old one's workers do not answer.
func (h *HAProxy) startSuccessor(ctx context.Context, old *liveGeneration) (next *liveGeneration, silent []*worker, err error) {
	if old == nil {
		next, err = h.launch(ctx)
		return next, nil, err
	}
	socket, silent, err := h.probeWorkers(ctx, old)
	if err != nil {
		return nil, nil, err
	}
	if h.ListenerHold > 0 && socket != "" && !h.listeners.any() {
		if err := h.takeFrom(ctx, old); err != nil {
			h.Logger.Debug("cannot take the listening sockets before the launch", "error", err)
		}
	}
	next, err = h.succeed(ctx, old, socket, len(silent))
	if old.earlier {
		silent = nil // it may have sockets that were not probed
	}
	return next, silent, err
}

// succeed starts a generation with the listeners of the old one: those that are kept, or
// else those of the worker that answers on socket, which may be empty.
func (h *HAProxy) succeed(ctx context.Context, old *liveGeneration, socket string, silent int) (*liveGeneration, error) {
	if h.listeners.any() {
		next, refused, err := h.launchOnListeners(ctx)
		if !refused {
			return next, err
		}
		h.Logger.Warn("HAProxy did not take the kept listening sockets, starting without them", "error", err)
	}
	// Sockets that the next generation does not take would still get connections, beside
	// those that it opens itself. If it fails, those of the old one are taken again.
	h.listeners.keep(nil)
	h.listeners.takeAt = time.Now()
	if socket != "" {
		next, err := h.launch(ctx, "-x", socket)
		if !old.earlier || !refusesHandover(err) {
			return next, err
		}
		h.Logger.Warn("the running HAProxy does not hand over its listeners, connections may be reset", "handover", err)
	}
	if !old.earlier {
		if silent > 0 {
			h.Logger.Error("no worker answers, starting new ones next to them", "workers", silent)
		}
		return h.launch(ctx)
	}
	// This loses a few connections. Workers whose sockets are at other paths now, or
	// missing, keep serving. Check first: a launcher with -sf takes the old listeners
	// before it can fail.
	if _, err := Check(ctx, h.Reaper, h.Exec, h.ConfFile); err != nil {
		return nil, err
	}
	return h.launch(ctx, stopFirst(old)...)
}

// probeWorkers returns a socket on which a worker answers, empty if there is none, and
// the living workers that do not answer. An error means that they could not be probed.
func (h *HAProxy) probeWorkers(ctx context.Context, g *liveGeneration) (socket string, silent []*worker, err error) {
	living := slices.DeleteFunc(slices.Clone(g.workers), (*worker).ended)
	if len(living) == 0 {
		return "", nil, nil
	}
	limited, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	answered, err := h.Prober.Probe(limited, pidsOf(living))
	if err != nil {
		return "", nil, fmt.Errorf("probe the serving workers: %w", err)
	}
	for _, w := range living {
		if path, found := answered[w.pid]; found {
			socket = path
		} else {
			silent = append(silent, w)
		}
	}
	return socket, silent, nil
}

// explainFailure checks, after a failed launch, whether HAProxy rejects the
// configuration. A rejected one is kept beside the file of the running one, because
// HAProxy's messages refer to its lines. Call it while the configuration's maps are in
// place.
func (h *HAProxy) explainFailure(ctx context.Context, config []byte, failure error) error {
	if _, ran := errors.AsType[*ExitError](failure); !ran {
		return failure
	}
	aside, err := ownfile.WriteAside(h.ConfFile, config, confMode)
	if err != nil {
		return errors.Join(failure, fmt.Errorf("save the rejected configuration: %w", err))
	}
	if _, err := Check(ctx, h.Reaper, h.Exec, aside); errors.Is(err, registry.ErrRefused) {
		return err
	}
	return errors.Join(failure, ownfile.Remove(aside))
}

// stopFirst returns the arguments that make HAProxy ask a generation to finish.
func stopFirst(g *liveGeneration) []string {
	var args []string
	for _, pid := range append(pidsOf(g.workers), g.unwatched...) {
		if args == nil {
			args = append(args, "-sf")
		}
		args = append(args, strconv.Itoa(pid))
	}
	return args
}

// replace asks a generation to finish its connections.
func (h *HAProxy) replace(old *liveGeneration, silent []*worker) {
	silent = h.stillSilent(silent) // they did not answer before the launch
	old.since = time.Now()
	h.sendSignal(old.workers, unix.SIGUSR1)
	for _, pid := range h.ownProcesses(startedWith(old.unwatched, h.ConfFile, h.PIDFile)) {
		if err := unix.Kill(pid, unix.SIGUSR1); err != nil && !errors.Is(err, unix.ESRCH) {
			h.Logger.Error("cannot signal a worker", "error", fmt.Errorf("send SIGUSR1 to process %d: %w", pid, err))
		}
	}
	for _, w := range silent {
		// It would keep its share of the listeners, and of the new connections, forever.
		h.Logger.Error("killing a worker that does not answer", "pid", w.pid)
	}
	h.sendSignal(silent, unix.SIGKILL)
	if len(old.workers) > 0 {
		h.draining = append(h.draining, old)
	}
	if old.earlier {
		h.watch(old)
	}
}

// stillSilent briefly probes workers again and returns those that do not answer, or
// none if they could not be probed.
func (h *HAProxy) stillSilent(workers []*worker) []*worker {
	living := slices.DeleteFunc(slices.Clone(workers), (*worker).ended)
	if len(living) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), recheckWithin)
	defer cancel()
	answered, err := h.Prober.Probe(ctx, pidsOf(living))
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(living, func(w *worker) bool { return answered[w.pid] != "" })
}

// prove waits until every worker has answered on a socket.
func (h *HAProxy) prove(ctx context.Context, g *liveGeneration) error {
	ctx, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	pids := pidsOf(g.workers)
	alive, stop := whileAlive(ctx, g.workers)
	answers, failure := h.Prober.Probe(alive, pids)
	if failure == nil {
		failure = alive.Err()
	}
	stop()
	for _, w := range g.workers {
		if w.ended() {
			if g.printed != "" {
				return fmt.Errorf("start HAProxy: worker %d exited immediately: %s: %s", w.pid, w.exitStatus(), g.printed)
			}
			return fmt.Errorf("start HAProxy: worker %d exited immediately: %s; see HAProxy's own log", w.pid, w.exitStatus())
		}
	}
	if len(answers) < len(pids) {
		return fmt.Errorf("start HAProxy: only %d of %d new workers answer on the stats sockets: %w", len(answers), len(pids), failure)
	}
	return nil
}

// retire releases a generation that has not taken over. It has accepted connections
// since it started and finishes them like a replaced generation. Workers that do not
// answer are killed.
func (h *HAProxy) retire(g *liveGeneration) {
	silent := h.stillSilent(g.workers)
	h.sendSignal(g.workers, unix.SIGUSR1)
	g.workers = slices.DeleteFunc(g.workers, func(w *worker) bool { return w.ended() || slices.Contains(silent, w) })
	g.workers = append(g.workers, h.end(silent)...)
	if len(g.workers) > 0 {
		g.since = time.Now()
		h.draining = append(h.draining, g)
		h.watch(g)
	}
}

// end waits for workers that were asked to finish and kills those that take too long.
// It returns those that survived.
func (h *HAProxy) end(workers []*worker) (left []*worker) {
	if left = stillLiving(workers, endWithin); len(left) > 0 {
		h.sendSignal(left, unix.SIGKILL)
		left = stillLiving(left, killedWithin)
	}
	return left
}

// stillLiving returns the workers that have not ended in time.
func stillLiving(workers []*worker, within time.Duration) (left []*worker) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for _, w := range workers {
		select {
		case <-w.Done():
		case <-ctx.Done():
			if !w.ended() {
				left = append(left, w)
			}
		}
	}
	return left
}

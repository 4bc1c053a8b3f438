package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// confMode is the configuration's: there are passwords in it.
const confMode = 0o600

const (
	// 20,000 servers take HAProxy 2.0 half a second on two cores; an emulated
	// processor is some twenty times slower.
	checkWithin  = 60 * time.Second
	launchWithin = 60 * time.Second
	proveWithin  = 5 * time.Second
	// Nothing is sent to what serves while a reload is under way: one that takes
	// much longer than the last one is given up.
	reloadWithin, timesLast = 5 * time.Second, 10
	// The serving generation answers in a millisecond when it is well.
	probeWithin, againWithin = time.Second, 300 * time.Millisecond
)

// Check asks HAProxy whether it accepts the configuration in a file.
func Check(ctx context.Context, reaper *Reaper, path, file string) error {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	_, err := reaper.Output(ctx, path, "-c", "-f", file)
	if exit, ran := errors.AsType[*ExitError](err); ran && exit.Status.Exited() {
		return fmt.Errorf("%w: %w", registry.ErrRefused, err)
	}
	return err
}

// reload starts a generation beside the one that serves and lets the old one go
// once the new one is proven: what `-sf` does, but after the proof, since a
// start that fails with -sf has already taken the old one's listeners away. One
// that fails without it has done nothing, so it is no matter of `haproxy -c`
// first, which takes as long as the start itself.
func (h *HAProxy) reload(ctx context.Context, launch registry.Launch) (pids []int, err error) {
	switch warning, err := raiseFiles(launch.FilesWanted, launch.FilesNeeded); {
	case err != nil:
		return nil, err
	case warning != "" && h.current == nil:
		h.Logger.Warn("too few open files", "problem", warning)
	}
	conf, err := keep(h.ConfFile)
	if err != nil {
		return nil, fmt.Errorf("keep the configuration that runs: %w", err)
	}
	pidFile, err := keep(h.PIDFile)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keep the pid file of what runs: %w", err), conf.forget())
	}
	if err := writeFile(h.ConfFile, launch.Config, confMode); err != nil {
		return nil, errors.Join(fmt.Errorf("write the configuration: %w", err), conf.forget(), pidFile.forget())
	}
	old := h.current
	if old == nil {
		old = h.findEarlier()
	}
	defer func() {
		if err == nil {
			if err := errors.Join(conf.forget(), pidFile.forget()); err != nil {
				h.Logger.Warn("files of the HAProxy before stay beside those of this one", "error", err)
			}
			return
		}
		err = errors.Join(err, conf.restore(), pidFile.restore())
		if old != nil && old.earlier {
			h.abandon(old)
		}
		limited, cancel := context.WithTimeout(ctx, h.patience()) // updates still wait
		defer cancel()
		err = h.explain(limited, launch.Config, err)
	}()
	begun := time.Now()
	limited, cancel := context.WithTimeout(ctx, h.patience())
	defer cancel()
	next, silent, err := h.succeed(limited, old)
	if err == nil {
		if err = h.prove(limited, next); err != nil {
			h.retire(next)
		}
	}
	if err != nil {
		if limited.Err() != nil && ctx.Err() == nil {
			h.grant(time.Since(begun))
		}
		return nil, err
	}
	next.since = time.Now()
	h.took = next.since.Sub(begun)
	if old != nil {
		h.replace(old, silent)
	}
	h.current = next
	h.watch(next)
	h.beginMending(next.torn)
	pids = pidsOf(next.workers)
	h.Logger.Info("HAProxy serves", "cause", launch.Cause, "workers", pids)
	return pids, nil
}

// patience is how long a reload may take from the launch to the proof.
func (h *HAProxy) patience() time.Duration {
	if h.took == 0 {
		return launchWithin + proveWithin
	}
	return min(max(reloadWithin, timesLast*h.took), launchWithin+proveWithin)
}

// grant lets the next reload take twice as long as one that was given up: the
// configuration may have grown, or the machine be slower.
func (h *HAProxy) grant(after time.Duration) {
	h.took = max(h.took, 2*after/timesLast)
}

// succeed starts a generation that takes the listeners of the old one, if there
// is one, and returns which of the old one's workers do not answer.
func (h *HAProxy) succeed(ctx context.Context, old *generation) (next *generation, silent []*worker, err error) {
	if old == nil {
		next, err = h.launch(ctx)
		return next, nil, err
	}
	socket, silent, err := h.survey(ctx, old)
	switch {
	case err != nil:
		return nil, nil, err
	case socket != "":
		next, err = h.launch(ctx, "-x", socket)
		if !old.earlier || !keepsListeners(err) {
			break
		}
		fallthrough
	case old.earlier:
		// Which loses a few connections. Those whose sockets are at other paths
		// now, or not at all, serve all the same.
		h.Logger.Warn("the HAProxy that runs already does not hand its listeners over, connections may be reset", "handover", err)
		// A launcher with -sf has taken its listeners away before it fails.
		if err = Check(ctx, h.Reaper, h.Exec, h.ConfFile); err == nil {
			next, err = h.launch(ctx, stopFirst(old)...)
		}
	default:
		if len(silent) > 0 {
			h.Logger.Error("no worker answers, starting new ones beside them", "workers", len(silent))
		}
		next, err = h.launch(ctx)
	}
	if old.earlier {
		silent = nil // it may have more sockets than are asked
	}
	return next, silent, err
}

// survey returns a socket on which a worker answers, empty when there is none,
// and the living workers that do not answer. An error says that they could not be
// asked.
func (h *HAProxy) survey(ctx context.Context, g *generation) (socket string, silent []*worker, err error) {
	living := slices.DeleteFunc(slices.Clone(g.workers), (*worker).ended)
	if len(living) == 0 {
		return "", nil, nil
	}
	limited, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	answered, err := h.Prober.Probe(limited, pidsOf(living))
	if err != nil {
		return "", nil, fmt.Errorf("ask the workers that serve: %w", err)
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

// explain tells, after a launch that failed, whether it is the configuration
// that HAProxy does not accept. That one then stays beside the file of what runs:
// HAProxy's words name its lines.
func (h *HAProxy) explain(ctx context.Context, config []byte, failure error) error {
	if _, ran := errors.AsType[*ExitError](failure); !ran {
		return failure
	}
	aside, err := writeAside(h.ConfFile, config, confMode)
	if err != nil {
		return errors.Join(failure, fmt.Errorf("keep the configuration for a look: %w", err))
	}
	if err := Check(ctx, h.Reaper, h.Exec, aside); errors.Is(err, registry.ErrRefused) {
		return err
	}
	return errors.Join(failure, remove(aside))
}

// stopFirst are the arguments by which HAProxy tells a generation to finish.
func stopFirst(g *generation) []string {
	var args []string
	for _, pid := range append(pidsOf(g.workers), g.unwatched...) {
		if args == nil {
			args = append(args, "-sf")
		}
		args = append(args, strconv.Itoa(pid))
	}
	return args
}

// replace tells a generation to finish its connections.
func (h *HAProxy) replace(old *generation, silent []*worker) {
	silent = h.stillSilent(silent) // a launch ago they were
	old.since = time.Now()
	h.signal(old.workers, unix.SIGUSR1)
	for _, pid := range serving(old.unwatched, h.ConfFile, h.PIDFile) {
		if err := unix.Kill(pid, unix.SIGUSR1); err != nil && !errors.Is(err, unix.ESRCH) {
			h.Logger.Error("cannot signal a worker", "error", fmt.Errorf("send SIGUSR1 to process %d: %w", pid, err))
		}
	}
	for _, w := range silent {
		// It would keep its share of the listeners, and of the new connections,
		// for ever.
		h.Logger.Error("ending a worker that does not answer", "pid", w.pid)
	}
	h.signal(silent, unix.SIGKILL)
	if len(old.workers) > 0 {
		h.draining = append(h.draining, old)
	}
	if old.earlier {
		h.watch(old)
	}
}

// stillSilent asks workers once more, for a moment, and returns those that do not
// answer. Of whom it cannot ask it does not say so.
func (h *HAProxy) stillSilent(workers []*worker) []*worker {
	living := slices.DeleteFunc(slices.Clone(workers), (*worker).ended)
	if len(living) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), againWithin)
	defer cancel()
	answered, err := h.Prober.Probe(ctx, pidsOf(living))
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(living, func(w *worker) bool { return answered[w.pid] != "" })
}

// prove waits until every worker has answered on a socket.
func (h *HAProxy) prove(ctx context.Context, g *generation) error {
	ctx, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	pids := pidsOf(g.workers)
	var watching sync.WaitGroup
	for _, w := range g.workers {
		watching.Go(func() {
			select {
			case <-w.Done():
				cancel() // there is nothing left to wait for
			case <-ctx.Done():
			}
		})
	}
	answers, failure := h.Prober.Probe(ctx, pids)
	if failure == nil {
		failure = ctx.Err()
	}
	cancel()
	watching.Wait()
	for _, w := range g.workers {
		if w.ended() {
			if g.said != "" {
				return fmt.Errorf("start HAProxy: worker %d ended at once: %s: %s", w.pid, w.status(), g.said)
			}
			return fmt.Errorf("start HAProxy: worker %d ended at once: %s; HAProxy's own log says why", w.pid, w.status())
		}
	}
	if len(answers) < len(pids) {
		return fmt.Errorf("start HAProxy: %d of %d new workers answer on the stats sockets: %w", len(answers), len(pids), failure)
	}
	return nil
}

// retire lets a generation go that has not taken over. It has accepted connections
// from its first moment on, which it finishes as one that was replaced does. Workers
// that do not answer are ended.
func (h *HAProxy) retire(g *generation) {
	silent := h.stillSilent(g.workers)
	h.signal(g.workers, unix.SIGUSR1)
	g.workers = slices.DeleteFunc(g.workers, func(w *worker) bool { return w.ended() || slices.Contains(silent, w) })
	g.workers = append(g.workers, h.end(silent)...)
	if len(g.workers) > 0 {
		g.since = time.Now()
		h.draining = append(h.draining, g)
		h.watch(g)
	}
}

// end ends workers that were told to finish, by force those that take too long. It
// returns those that the kernel has not let go by then.
func (h *HAProxy) end(workers []*worker) (left []*worker) {
	if left = stillLiving(workers, endWithin); len(left) > 0 {
		h.signal(left, unix.SIGKILL)
		left = stillLiving(left, killedWithin)
	}
	return left
}

// stillLiving returns which of workers have not ended in time.
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

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// ErrRefused says that HAProxy does not accept a configuration.
var ErrRefused = errors.New("HAProxy refuses the configuration")

const (
	// 20,000 servers take HAProxy 2.0 half a second on two cores; an emulated
	// processor is some twenty times slower.
	checkWithin  = 60 * time.Second
	launchWithin = 60 * time.Second
	proveWithin  = 5 * time.Second
	// The serving generation answers in a millisecond when it is well.
	probeWithin = time.Second
)

// Check asks HAProxy whether it accepts the configuration in a file.
func Check(ctx context.Context, reaper *Reaper, path, file string) error {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	_, err := reaper.Output(ctx, path, "-c", "-f", file)
	if _, ran := errors.AsType[*ExitError](err); ran {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// reload starts a generation beside the one that serves and lets the old one go
// once the new one is proven: what `-sf` does, but after the proof, since a
// start that fails with -sf has already taken the old one's listeners away.
func (h *HAProxy) reload(ctx context.Context, launch registry.Launch) (pids []int, err error) {
	switch warning, err := raiseFiles(launch.FilesWanted, launch.FilesNeeded); {
	case err != nil:
		return nil, err
	case warning != "" && h.current == nil:
		h.Logger.Warn("too few open files", "problem", warning)
	}
	oldConf, err := saved(h.ConfFile)
	if err != nil {
		return nil, fmt.Errorf("read the configuration that runs: %w", err)
	}
	oldPIDs, err := saved(h.PIDFile)
	if err != nil {
		return nil, fmt.Errorf("read the pid file of what runs: %w", err)
	}
	// A refused file stays where it is: HAProxy's words name its lines.
	aside := h.ConfFile + asideSuffix
	if err := os.WriteFile(aside, launch.Config, 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	if err := Check(ctx, h.Reaper, h.Exec, aside); err != nil {
		return nil, err
	}
	if err := os.Rename(aside, h.ConfFile); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, restoreFile(h.ConfFile, oldConf), restoreFile(h.PIDFile, oldPIDs))
		}
	}()
	args, silent := h.launchArgs(ctx)
	next, err := h.launch(ctx, args)
	if err != nil {
		return nil, err
	}
	if err := h.prove(ctx, next); err != nil {
		h.end(next)
		return nil, err
	}
	if old := h.current; old != nil {
		old.replaced = time.Now()
		h.signal(old.workers, unix.SIGUSR1)
		for _, w := range old.workers {
			if silent[w.PID] {
				// It would keep its share of the listeners, and of the new
				// connections, for ever.
				h.Logger.Error("ending a worker that does not answer", "pid", w.PID)
				h.signal([]*Child{w}, unix.SIGKILL)
			}
		}
		if len(old.workers) > 0 {
			h.draining = append(h.draining, old)
		}
	}
	h.current = next
	for _, w := range next.workers {
		h.watch(next, w)
		pids = append(pids, w.PID)
	}
	h.Logger.Info("HAProxy serves", "cause", launch.Cause, "workers", pids)
	return pids, nil
}

// launchArgs returns how HAProxy is to be started, and which workers of the
// serving generation do not answer.
func (h *HAProxy) launchArgs(ctx context.Context) (args []string, silent map[int]bool) {
	args = []string{"-D", "-f", h.ConfFile, "-p", h.PIDFile}
	if h.current == nil {
		// An earlier daemon's HAProxy: its sockets may not give listeners.
		if pids, err := readPIDs(h.PIDFile); err == nil {
			for i, pid := range serving(pids, h.ConfFile, h.PIDFile) {
				if i == 0 {
					h.Logger.Info("taking over from an HAProxy that runs already", "pids", pids)
					args = append(args, "-sf")
				}
				args = append(args, strconv.Itoa(pid))
			}
		}
		return args, nil
	}
	var living []int
	for _, w := range h.current.workers {
		if !w.ended() {
			living = append(living, w.PID)
		}
	}
	limited, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	answered := h.Prober.Probe(limited, living)
	silent = make(map[int]bool)
	socket := ""
	for _, pid := range living {
		if path, found := answered[pid]; found {
			socket = path
		} else {
			silent[pid] = true
		}
	}
	if socket != "" {
		return append(args, "-x", socket), silent
	}
	if len(silent) > 0 {
		h.Logger.Error("no worker answers, starting new ones beside them", "workers", len(silent))
	}
	return args, silent
}

// launch runs HAProxy until it has left its workers behind, and adopts them.
func (h *HAProxy) launch(ctx context.Context, args []string) (*generation, error) {
	defer h.Reaper.expect()()
	limited, cancel := context.WithTimeout(ctx, launchWithin)
	defer cancel()
	before, _ := readPIDs(h.PIDFile)
	words, err := h.Reaper.Output(limited, h.Exec, args...)
	if err != nil {
		// It may have left workers behind before it failed or was ended.
		left, _ := readPIDs(h.PIDFile)
		h.end(h.adopt(slices.DeleteFunc(left, func(pid int) bool { return slices.Contains(before, pid) })))
		return nil, fmt.Errorf("start HAProxy: %w", err)
	}
	if words != "" {
		h.Logger.Warn("HAProxy said", "text", words)
	}
	// The launcher writes the file before it ends, and at no other time.
	pids, err := readPIDs(h.PIDFile)
	if err != nil {
		return nil, fmt.Errorf("start HAProxy: %w", err)
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("start HAProxy: it left no pid in %s", h.PIDFile)
	}
	return h.adopt(pids), nil
}

func (h *HAProxy) adopt(pids []int) *generation {
	g := &generation{}
	for _, pid := range pids {
		g.workers = append(g.workers, h.Reaper.adopt(pid))
	}
	return g
}

// prove waits until every worker has answered on a socket.
func (h *HAProxy) prove(ctx context.Context, g *generation) error {
	ctx, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	var pids []int
	var watching sync.WaitGroup
	for _, w := range g.workers {
		pids = append(pids, w.PID)
		watching.Go(func() {
			select {
			case <-w.Done():
				cancel() // there is nothing left to wait for
			case <-ctx.Done():
			}
		})
	}
	answered := len(h.Prober.Probe(ctx, pids))
	ended := ctx.Err()
	cancel()
	watching.Wait()
	for _, w := range g.workers {
		if w.ended() {
			return fmt.Errorf("start HAProxy: worker %d ended at once: %s; HAProxy's own log says why", w.PID, describe(w.Status()))
		}
	}
	if answered < len(pids) {
		return fmt.Errorf("start HAProxy: %d of %d new workers answer on the stats sockets: %w", answered, len(pids), ended)
	}
	return nil
}

// end ends a generation that has not taken over.
func (h *HAProxy) end(g *generation) {
	defer h.terminate(g.workers).Stop()
	for _, w := range g.workers {
		<-w.Done()
	}
}

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Adopt makes the HAProxy that an earlier daemon left running the current one,
// without a reload, and returns the pids of its workers. It does so only if that
// HAProxy is certainly the one that [HAProxy.Reload] would start with launch, apart
// from what the stats sockets can change: the executable and the shape are those
// recorded with the generation, all of its workers run and answer, and every process
// is recorded. Otherwise it changes nothing and the error says why; the caller then
// calls Reload. The error wraps [ErrNoneRuns] if there is nothing to adopt. Call it
// before the first Reload.
func (h *HAProxy) Adopt(ctx context.Context, launch registry.Launch) ([]int, error) {
	return h.submit(request{ctx: ctx, launch: launch, adopt: true})
}

// ErrNoneRuns is wrapped by the error of [HAProxy.Adopt] if no earlier HAProxy runs.
var ErrNoneRuns = errors.New("no earlier HAProxy runs")

func (h *HAProxy) adoptEarlier(ctx context.Context, launch registry.Launch) ([]int, error) {
	if h.current != nil {
		return nil, errors.New("a generation of this process is already serving")
	}
	found := h.findEarlier()
	if found == nil {
		return nil, ErrNoneRuns
	}
	serving, draining, err := h.recognize(ctx, found, launch.Shape)
	if err != nil {
		h.abandon(found)
		return nil, err
	}
	h.current, h.draining = serving, draining
	h.listeners.serving()
	h.watch(serving)
	for _, g := range draining {
		h.watch(g)
		h.sendSignal(g.workers, unix.SIGUSR1) // the previous daemon may have died before it did so
	}
	pids := pidsOf(serving.workers)
	h.Logger.Info("adopted the running HAProxy", "workers", pids, "draining", len(draining))
	h.updated(&launch, h.writeFiles(launch, nextSuffix))
	named, err := readPIDs(h.PIDFile)
	slices.Sort(named)
	h.schedulePIDFileRewrite(err != nil || !slices.Equal(named, slices.Sorted(slices.Values(pids))))
	return pids, nil
}

// recognize assigns the processes found to the generations of the proof. An error
// names the first difference.
func (h *HAProxy) recognize(ctx context.Context, found *liveGeneration, shape string) (serving *liveGeneration, draining []*liveGeneration, err error) {
	r, err := readProof(h.PIDFile + proofSuffix)
	if err != nil {
		return nil, nil, err
	}
	if r.Shape != shape {
		return nil, nil, errors.New("the configuration has changed")
	}
	exec, err := fileAt(h.Exec)
	switch {
	case err != nil:
		return nil, nil, err
	case exec != r.Exec:
		return nil, nil, fmt.Errorf("the executable %s has changed", h.Exec)
	case len(found.unwatched) > 0:
		return nil, nil, fmt.Errorf("processes %v cannot be watched", found.unwatched)
	}
	serving = &liveGeneration{since: r.Serving.since()}
	draining = make([]*liveGeneration, len(r.Draining))
	for i, g := range r.Draining {
		draining[i] = &liveGeneration{since: g.since()}
	}
	for _, w := range found.workers {
		actual, err := h.inspectWorker(w.pid)
		if err != nil {
			return nil, nil, err
		}
		switch i, known := r.find(actual); {
		case !known:
			return nil, nil, fmt.Errorf("process %d belongs to no recorded generation", w.pid)
		case i < 0:
			serving.workers = append(serving.workers, w)
		default:
			draining[i].workers = append(draining[i].workers, w)
		}
	}
	draining = slices.DeleteFunc(draining, func(g *liveGeneration) bool { return len(g.workers) == 0 })
	if n := len(serving.workers); n == 0 || n != r.Workers {
		return nil, nil, fmt.Errorf("only %d of %d workers are running", n, r.Workers)
	}
	_, silent, err := h.probeWorkers(ctx, serving)
	if err == nil && len(silent) > 0 {
		err = fmt.Errorf("workers %v do not answer", pidsOf(silent))
	}
	return serving, draining, err
}

// inspectWorker is describeWorker for a process that must run with this proxy's files
// and an executable that has not been replaced.
func (h *HAProxy) inspectWorker(pid int) (provenWorker, error) {
	args, err := arguments(pid)
	if err != nil {
		return provenWorker{}, err
	}
	if !hasFlag(args, "-f", h.ConfFile) || !hasFlag(args, "-p", h.PIDFile) {
		return provenWorker{}, fmt.Errorf("process %d was started with other files", pid)
	}
	w, err := describeWorker(pid)
	if err != nil || w.Exe == (file{}) {
		return w, err
	}
	path, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
	if err != nil {
		return w, err
	}
	now, err := fileAt(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && now != w.Exe {
		err = fmt.Errorf("the executable %s has changed", strings.TrimSuffix(path, " (deleted)"))
	}
	return w, err
}

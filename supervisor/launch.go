package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/retry"
)

// descriptorEvery is the retry interval while out of file descriptors.
const descriptorEvery = 10 * time.Millisecond

// launch runs HAProxy until it has daemonized, and adopts the workers it left.
func (h *HAProxy) launch(ctx context.Context, takeover ...string) (*liveGeneration, error) {
	defer h.Reaper.expect()()
	limited, cancel := context.WithTimeout(ctx, launchWithin)
	defer cancel()
	before := stampOf(h.PIDFile)
	args := append(launchArguments(h.ConfFile, h.PIDFile), takeover...)
	words, err := h.Reaper.Output(limited, h.Exec, args...)
	pids, incomplete, reading := h.leftBehind(limited, before)
	if err == nil {
		err = reading
	}
	if err == nil && len(pids) == 0 {
		err = fmt.Errorf("it wrote no pid to %s", h.PIDFile)
	}
	next, adopting := h.adoptWorkers(pids)
	if err == nil {
		err = adopting
	}
	next.incomplete = incomplete
	h.recordWorkers(next)
	if err != nil {
		h.retire(next) // workers it left before it failed or was killed
		h.retireUnnamed()
		return nil, fmt.Errorf("start HAProxy: %w", err)
	}
	if next.printed = strings.TrimSpace(words); h.Said != nil {
		h.Said(next.printed)
	}
	return next, nil
}

// launchArguments returns HAProxy's arguments, which its workers keep.
func launchArguments(confFile, pidFile string) []string {
	return []string{"-D", "-f", confFile, "-p", pidFile}
}

// isLaunch reports whether a process was started by launch or left behind by one,
// judging by its arguments.
func isLaunch(argv []string) bool {
	for i, usual := range launchArguments("", "") {
		if len(argv) < i+2 || usual != "" && argv[i+1] != usual {
			return false
		}
	}
	return true
}

// leftBehind returns the pids of the processes that a launcher left, and whether the
// pid file lacks some of them. The launcher writes the file just before it ends. All
// processes have to be found: one that is not adopted would serve forever. If the
// file may be incomplete, all processes of the machine are searched, and if there is no
// file descriptor for that, the search is retried.
func (h *HAProxy) leftBehind(ctx context.Context, before stamp) (pids []int, incomplete bool, err error) {
	for {
		if stampOf(h.PIDFile) == before {
			return nil, false, nil
		}
		pids, err = readPIDs(h.PIDFile)
		if incomplete = errors.Is(err, errIncomplete); incomplete {
			pids, err = nil, nil // the last pid may be truncated
		}
		if err == nil && len(pids) < max(1, len(h.Sockets)) {
			var more int
			pids, more, err = h.complete(pids)
			incomplete = incomplete || more > 0
		}
		if !retry.NoDescriptor(err) {
			return pids, incomplete, err
		}
		select {
		case <-ctx.Done():
			return nil, incomplete, err
		case <-time.After(descriptorEvery):
		}
	}
}

// retireRounds bounds how often a failed launch is searched for more processes: a
// script between haproxy-zk and HAProxy, the launcher that it started, its workers.
const retireRounds = 4

// retireUnnamed retires the processes of a failed launch that no pid file names. From
// HAProxy 3.1 on a launcher forks before it reads its configuration. A launcher started
// by a script continues to fork workers after the script was killed, so the search is
// repeated until it finds nothing.
func (h *HAProxy) retireUnnamed() {
	for range retireRounds {
		pids, err := h.processes()
		if err != nil {
			h.Logger.Warn("cannot look for processes of the failed launch; a stop will look again", "error", err)
			return
		}
		pids = slices.DeleteFunc(pids, func(pid int) bool { return !h.leftByLaunch(pid) })
		if len(pids) == 0 {
			return
		}
		h.Logger.Warn("killing processes of the failed launch that no pid file names", "pids", pids)
		g, _ := h.adoptWorkers(pids) // a process that cannot be adopted has ended
		h.retire(g)
	}
}

// leftByLaunch reports whether a process of this proxy was left by a launch and belongs
// to no generation.
func (h *HAProxy) leftByLaunch(pid int) bool {
	return h.Reaper.unknown(pid) && !slices.Contains(h.inherited, pid)
}

// complete adds to pids the children that have not been adopted.
func (h *HAProxy) complete(pids []int) (all []int, more int, err error) {
	running, err := h.processes()
	if err != nil {
		return nil, 0, err
	}
	for _, pid := range running {
		if !slices.Contains(pids, pid) && h.Reaper.unknown(pid) {
			pids = append(pids, pid)
			more++
		}
	}
	if more > 0 && h.Reaper.strayed() {
		err = errors.New("a process that it left behind ended immediately")
	}
	return pids, more, err
}

// adoptWorkers returns the processes that a launcher left and, in addition to an error, those
// of them that could be adopted.
func (h *HAProxy) adoptWorkers(pids []int) (*liveGeneration, error) {
	g := &liveGeneration{}
	var problems []error
	for _, pid := range pids {
		child, err := h.Reaper.adoptChild(pid)
		if err != nil {
			problems = append(problems, fmt.Errorf("pid file %s: %w", h.PIDFile, err))
			continue
		}
		g.workers = append(g.workers, &worker{process: child, pid: pid})
	}
	return g, errors.Join(problems...)
}

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// descriptorEvery is how often a descriptor is asked for that is not to be had.
const descriptorEvery = 10 * time.Millisecond

// launch runs HAProxy until it has left its workers behind, and adopts them.
func (h *HAProxy) launch(ctx context.Context, takeover ...string) (*generation, error) {
	defer h.Reaper.expect()()
	limited, cancel := context.WithTimeout(ctx, launchWithin)
	defer cancel()
	before := stampOf(h.PIDFile)
	args := append([]string{"-D", "-f", h.ConfFile, "-p", h.PIDFile}, takeover...)
	words, err := h.Reaper.Output(limited, h.Exec, args...)
	pids, torn, reading := h.leftBehind(limited, before)
	if err == nil {
		err = reading
	}
	if err == nil && len(pids) == 0 {
		err = fmt.Errorf("it left no pid in %s", h.PIDFile)
	}
	next, adopting := h.adopt(pids)
	if err == nil {
		err = adopting
	}
	next.torn = torn
	if err != nil {
		h.retire(next) // what it left behind before it failed or was ended
		return nil, fmt.Errorf("start HAProxy: %w", err)
	}
	if next.said = strings.TrimSpace(words); next.said != "" {
		h.Logger.Warn("HAProxy said", "text", next.said)
	}
	return next, nil
}

// leftBehind returns the pids of the processes that a launcher has left behind, and
// whether the pid file has not got all of them. The launcher writes it before it
// ends, and at no other time. They have to be known: what is not adopted serves on
// and is never told anything. So a file in which some may be missing is made good
// by a look at all processes, and where there is no descriptor to look with it
// waits for one.
func (h *HAProxy) leftBehind(ctx context.Context, before stamp) (pids []int, torn bool, err error) {
	for {
		if stampOf(h.PIDFile) == before {
			return nil, false, nil
		}
		pids, err = readPIDs(h.PIDFile)
		if torn = errors.Is(err, errTorn); torn {
			pids, err = nil, nil // the last one may not be whole
		}
		if err == nil && len(pids) < max(1, len(h.Sockets)) {
			var more int
			pids, more, err = h.complete(pids)
			torn = torn || more > 0
		}
		if !noDescriptor(err) {
			return pids, torn, err
		}
		select {
		case <-ctx.Done():
			return nil, torn, err
		case <-time.After(descriptorEvery):
		}
	}
}

// complete adds to pids the children that nobody has adopted yet.
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
		err = errors.New("a process that it left behind has ended at once")
	}
	return pids, more, err
}

// adopt returns the processes that a launcher left behind, those that can be
// adopted in any case.
func (h *HAProxy) adopt(pids []int) (*generation, error) {
	g := &generation{}
	var problems []error
	for _, pid := range pids {
		child, err := h.Reaper.adopt(pid)
		if err != nil {
			problems = append(problems, fmt.Errorf("pid file %s: %w", h.PIDFile, err))
			continue
		}
		g.workers = append(g.workers, &worker{process: child, pid: pid})
	}
	return g, errors.Join(problems...)
}

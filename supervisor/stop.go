package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// stop lets connections finish during the grace period, then ends the remaining
// workers. requested is false if the proxy failed: then an HAProxy of an earlier process
// that was not taken over keeps serving.
func (h *HAProxy) stop(requested bool) error {
	generations := h.draining
	var listened ports
	var counting error
	if h.current != nil {
		// Earlier generations listened on the same ports.
		listened, counting = listening(h.current.workers)
		generations = append(generations, h.current)
		h.draining, h.current = generations, nil
	}
	for _, g := range generations {
		g.since = time.Now()
		h.sendSignal(g.workers, unix.SIGUSR1)
	}
	grace, endGrace := h.startGrace()
	defer endGrace()
	cut := 0
	if h.await(grace) == 0 {
		counting = nil
	} else {
		if counting == nil {
			cut, counting = listened.sessions(h.workers(), time.Now().Add(countWithin))
		}
		h.terminateRemaining()
	}
	dying, cancel := context.WithTimeout(context.Background(), killedWithin)
	defer cancel()
	h.await(dying)
	workers := h.workers()
	left := pidsOf(workers)
	h.unwatch(workers)
	unknown, err := h.terminateUnknown(grace, requested, left)
	h.logStop(cut, counting)
	if err != nil {
		return fmt.Errorf("stop HAProxy: cannot verify that no process is left: %w", err)
	}
	if left = append(left, unknown...); len(left) > 0 {
		return fmt.Errorf("stop HAProxy: processes %v survived SIGKILL and may still serve; check CAP_KILL and uninterruptible I/O", left)
	}
	if earlier := append(h.earlierPIDs(), Recorded(h.Record)...); len(earlier) > 0 {
		if requested {
			slices.Sort(earlier)
			return fmt.Errorf("stop HAProxy: processes %v still serve; end them with `kill`", slices.Compact(earlier))
		}
		return nil // the next haproxy-zk needs these files to take over
	}
	files := h.Sockets
	if h.PIDFile != "" {
		files = append([]string{h.PIDFile, h.PIDFile + proofSuffix, h.Record}, files...)
	}
	var problems []error
	for _, path := range files {
		if err := ownfile.Remove(path); err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("remove the files of the stopped HAProxy: %w", err)
	}
	return nil
}

// unwatch stops watching the remaining workers.
func (h *HAProxy) unwatch(left []*worker) {
	for _, w := range left {
		if s, earlier := w.process.(*foreignProcess); earlier {
			s.close()
		}
	}
	close(h.stopWatching)
	h.watchers.Wait()
}

// terminateRemaining terminates the remaining workers, and kills those that do not end.
func (h *HAProxy) terminateRemaining() {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		for _, g := range h.draining {
			g.terminating = true
			h.sendSignal(g.workers, sig)
		}
		ending, cancel := context.WithTimeout(context.Background(), endWithin)
		left := h.await(ending)
		cancel()
		if left == 0 {
			return
		}
	}
}

// logStop logs how many sessions a stop has cut, if they could be counted.
func (h *HAProxy) logStop(cut int, counting error) {
	log := h.Logger.With("stop_grace", h.StopGrace)
	switch {
	case counting != nil:
		log.Warn("HAProxy has stopped, remaining sessions were cut", "sessions_cut", "not known", "error", counting)
	case cut > 0:
		log.Warn("HAProxy has stopped, remaining sessions were cut", "sessions_cut", cut)
	default:
		log.Info("HAProxy has stopped", "sessions_cut", 0)
	}
}

// workers returns the draining workers.
func (h *HAProxy) workers() []*worker {
	var all []*worker
	for _, g := range h.draining {
		all = append(all, g.workers...)
	}
	return all
}

// startGrace returns a context that is done when the grace period is over.
func (h *HAProxy) startGrace() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	var begins <-chan struct{}
	if h.GraceStarts != nil {
		begins = h.GraceStarts()
	}
	go func() {
		defer cancel()
		if begins != nil {
			select {
			case <-begins:
			case <-h.GraceOver:
				return
			case <-ctx.Done():
				return
			}
		}
		timer := time.NewTimer(h.StopGrace)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-h.GraceOver:
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// await receives exits until no worker remains or ctx is done, and returns how many
// remain.
func (h *HAProxy) await(ctx context.Context) int {
	for {
		h.publish()
		left := len(h.workers())
		if left == 0 {
			return 0
		}
		select {
		case e := <-h.exits:
			h.exited(e)
		case <-ctx.Done():
			return left
		}
	}
}

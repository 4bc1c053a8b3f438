package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// stop lets connections finish within the grace, then ends what is left.
func (h *HAProxy) stop() error {
	generations := h.draining
	var listened ports
	var counting error
	if h.current != nil {
		// Those of earlier generations listened there too.
		listened, counting = listening(h.current.workers)
		generations = append(generations, h.current)
		h.draining, h.current = generations, nil
	}
	for _, g := range generations {
		g.since = time.Now()
		h.signal(g.workers, unix.SIGUSR1)
	}
	grace, endGrace := h.grace()
	defer endGrace()
	cut := 0
	if h.await(grace) == 0 {
		counting = nil
	} else {
		if counting == nil {
			cut, counting = listened.sessions(h.workers())
		}
		h.endLeft()
	}
	dying, cancel := context.WithTimeout(context.Background(), killedWithin)
	defer cancel()
	h.await(dying)
	left := h.workers()
	for _, w := range left {
		if s, earlier := w.process.(*stranger); earlier {
			s.release()
		}
	}
	close(h.gaveUp)
	h.watchers.Wait()
	h.tellStop(cut, counting)
	if len(left) > 0 {
		return fmt.Errorf("stop HAProxy: processes %v were killed and have not ended, they may serve on: may they be signalled (CAP_KILL), do they wait for a disk?", pidsOf(left))
	}
	if len(h.earlierPIDs()) > 0 {
		return nil // they serve on, and another process takes over by these files
	}
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

// endLeft ends the workers that are left, by force those that do not end by themselves.
func (h *HAProxy) endLeft() {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		for _, g := range h.draining {
			g.ending = true
			h.signal(g.workers, sig)
		}
		ending, cancel := context.WithTimeout(context.Background(), endWithin)
		left := h.await(ending)
		cancel()
		if left == 0 {
			return
		}
	}
}

// tellStop says how many sessions a stop has cut, if they could be counted.
func (h *HAProxy) tellStop(cut int, counting error) {
	log := h.Logger.With("stop_grace", h.StopGrace)
	switch {
	case counting != nil:
		log.Warn("HAProxy has stopped, sessions that were left were cut", "sessions_cut", "not known", "error", counting)
	case cut > 0:
		log.Warn("HAProxy has stopped, sessions that were left were cut", "sessions_cut", cut)
	default:
		log.Info("HAProxy has stopped", "sessions_cut", 0)
	}
}

// workers are those that finish their connections.
func (h *HAProxy) workers() []*worker {
	var all []*worker
	for _, g := range h.draining {
		all = append(all, g.workers...)
	}
	return all
}

// grace returns a context that is done when the connections have had their time.
func (h *HAProxy) grace() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	var begins <-chan struct{}
	if h.Soft != nil {
		begins = h.Soft()
	}
	go func() {
		defer cancel()
		if begins != nil {
			select {
			case <-begins:
			case <-h.Hurry:
				return
			case <-ctx.Done():
				return
			}
		}
		timer := time.NewTimer(h.StopGrace)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-h.Hurry:
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// await takes exits until no worker is left or ctx is done, and returns how many
// are left.
func (h *HAProxy) await(ctx context.Context) int {
	for {
		h.measure()
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

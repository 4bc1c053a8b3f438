package supervisor

import (
	"context"
	"time"
)

const (
	// letGoWithin is how long a replaced generation may take to close a listener after it
	// was asked to.
	letGoWithin = time.Second
	// letGoEvery is how often it is looked whether it has.
	letGoEvery = 20 * time.Millisecond
)

// findVacant returns an error if HAProxy would share an address with another process: any
// address at the first start, later one that the running configuration lacks.
func (h *HAProxy) findVacant(ctx context.Context, old *liveGeneration, config []byte) error {
	var running []byte
	switch {
	case h.Vacant == nil:
		return nil
	case old == nil && (len(h.draining) > 0 || h.listeners.any()):
		return nil // its own processes, or this one, have the addresses
	case old != nil && allEnded(old.workers) && len(old.unwatched) == 0:
		return nil // it is to be replaced at once
	case old != nil:
		var err error
		if running, err = readOwn(h.ConfFile, maxBackup); err != nil {
			return nil // what runs is not known; HAProxy.replaceFiles reports the error
		}
	}
	err := h.Vacant(config, running)
	if err == nil || old == nil {
		return err
	}
	// An address that the last reload has removed: this process may still keep its listener,
	// and the replaced workers may not have closed it.
	h.renewListeners(ctx)
	if h.listeners.any() && !h.listeners.takeAt.IsZero() {
		return nil
	}
	for begun := time.Now(); err != nil && len(h.draining) > 0 && time.Since(begun) < letGoWithin; {
		select {
		case <-time.After(letGoEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
		err = h.Vacant(config, running)
	}
	return err
}

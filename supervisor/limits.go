package supervisor

import "time"

type limits struct{ stopGrace, hardStopAfter, listenerHold time.Duration }

// SetLimits replaces StopGrace, for the next stop, HardStopAfter, from the next reload on,
// and ListenerHold. It does not block, and any goroutine may call it.
func (h *HAProxy) SetLimits(stopGrace, hardStopAfter, listenerHold time.Duration) {
	h.limits.Store(&limits{stopGrace, hardStopAfter, listenerHold})
	select {
	case h.newLimits <- struct{}{}:
	default:
	}
}

func (h *HAProxy) takeLimits() {
	l := h.limits.Swap(nil)
	if l == nil {
		return
	}
	kept := h.ListenerHold > 0
	h.StopGrace, h.HardStopAfter, h.ListenerHold = l.stopGrace, l.hardStopAfter, l.listenerHold
	switch keep := h.ListenerHold > 0; {
	case kept && !keep:
		h.listeners.close()
	case keep && !kept:
		h.listeners.serving()
	}
}

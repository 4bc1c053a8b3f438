package supervisor

import (
	"bytes"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// mending is when a torn pid file is written again.
type mending struct {
	at    time.Time // zero: it need not be
	pause *backoff.ExponentialBackOff
}

// pidFileMode is what HAProxy makes it with.
const pidFileMode = 0o644

// beginMending is called when a generation comes to serve.
func (h *HAProxy) beginMending(torn bool) {
	if !torn {
		h.mending = mending{}
		return
	}
	if h.mending.pause == nil {
		h.Logger.Warn("the pid file does not name the workers, it is written again when there is room on the disk", "file", h.PIDFile)
		h.mending.pause = backoff.NewExponentialBackOff()
		// Half as much more or less is at random: 30 s at most.
		h.mending.pause.InitialInterval, h.mending.pause.MaxInterval, h.mending.pause.Multiplier = 500*time.Millisecond, 20*time.Second, 2
	}
	h.mending.later()
}

func (m *mending) later() { m.at = time.Now().Add(m.pause.NextBackOff()) }

// mend writes the pid file as HAProxy would have, if its time has come.
func (h *HAProxy) mend() {
	if h.mending.at.IsZero() || time.Now().Before(h.mending.at) {
		return
	}
	var text bytes.Buffer
	for _, pid := range pidsOf(h.current.workers) {
		fmt.Fprintln(&text, pid)
	}
	if text.Len() == 0 {
		h.mending = mending{} // others are about to take the place of those that died
		return
	}
	if err := writeFile(h.PIDFile, text.Bytes(), pidFileMode); err != nil {
		h.Logger.Debug("cannot write the pid file", "error", err)
		h.mending.later()
		return
	}
	h.mending = mending{}
	h.Logger.Info("the pid file names the workers again", "file", h.PIDFile)
}

package supervisor

import (
	"bytes"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
	"github.com/haproxy-zk/haproxy-zk/retry"
	"github.com/haproxy-zk/haproxy-zk/streak"
)

// pidFileRewrite is when an incomplete pid file is rewritten.
type pidFileRewrite struct {
	at    time.Time // zero: not needed
	pause *backoff.ExponentialBackOff
	// failing lasts until the file is complete.
	failing streak.Streak
}

// pidFileMode is the mode that HAProxy gives it.
const pidFileMode = 0o644

// schedulePIDFileRewrite is called when a generation begins to serve.
func (h *HAProxy) schedulePIDFileRewrite(incomplete bool) {
	if !incomplete {
		h.pidFileComplete()
		return
	}
	if h.pidFileRewrite.pause == nil {
		h.pidFileRewrite.pause = retry.Backoff(500*time.Millisecond, 30*time.Second)
	}
	h.pidFileIncomplete(errIncomplete)
}

func (h *HAProxy) pidFileIncomplete(err error) {
	if attrs, due := h.pidFileRewrite.failing.Failed(time.Now(), "incomplete"); due {
		h.Logger.With(attrs...).Warn("pid file is incomplete (disk full?), will rewrite it", "file", h.PIDFile, "error", err)
	}
	h.pidFileRewrite.later()
}

func (m *pidFileRewrite) later() { m.at = time.Now().Add(m.pause.NextBackOff()) }

// rewritePIDFile writes the pid file as HAProxy would have, if it is due.
func (h *HAProxy) rewritePIDFile() {
	if h.pidFileRewrite.at.IsZero() || time.Now().Before(h.pidFileRewrite.at) {
		return
	}
	var text bytes.Buffer
	for _, pid := range pidsOf(h.current.workers) {
		fmt.Fprintln(&text, pid)
	}
	if text.Len() == 0 {
		h.pidFileRewrite = pidFileRewrite{} // a reload is about to replace the dead workers
		return
	}
	if err := ownfile.Replace(h.PIDFile, text.Bytes(), pidFileMode); err != nil {
		h.pidFileIncomplete(err)
		return
	}
	h.pidFileComplete()
}

func (h *HAProxy) pidFileComplete() {
	if attrs, ended := h.pidFileRewrite.failing.Over(time.Now()); ended {
		h.Logger.With(attrs...).Info("pid file is complete again", "file", h.PIDFile)
	}
	h.pidFileRewrite = pidFileRewrite{}
}

package supervisor

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/retry"
	"github.com/haproxy-zk/haproxy-zk/streak"
)

// nextSuffix is appended to the name of a file that is to replace another while HAProxy
// runs: the usual one may be that of a configuration that HAProxy has rejected.
const nextSuffix = ".next"

// stopWriting bounds how long a stop waits for the disk.
const stopWriting = time.Second

// update replaces the files of the serving generation by those of what it runs now.
type update struct {
	wanted atomic.Pointer[registry.Launch] // nil: none
	wake   chan struct{}

	// The fields below belong to Run.

	// written identifies the content of the files; zero if that is not known.
	written [sha256.Size]byte
	writing *writing  // nil: none
	at      time.Time // of the next attempt after a failure; zero: none
	pause   *backoff.ExponentialBackOff
	failing streak.Streak
}

// writing is an attempt that may wait for the disk. Its result is in done.
type writing struct {
	launch *registry.Launch
	done   chan error
}

func newUpdate() update {
	return update{wake: make(chan struct{}, 1), pause: retry.Backoff(500*time.Millisecond, 30*time.Second)}
}

// Rewrite replaces the configuration and its maps by those of launch, which must be what
// the serving generation runs now, unless they are the same: the file is read, and
// HAProxy started with it, by others too. It does not block, and any goroutine may call it.
// The newest files win, and a failure is tried again. A later Reload makes them obsolete.
func (h *HAProxy) Rewrite(launch registry.Launch) {
	h.update.wanted.Store(&launch)
	h.update.nudge()
}

func (u *update) nudge() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// contentOf identifies the files of a launch.
func contentOf(launch *registry.Launch) (sum [sha256.Size]byte) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%d\n", len(launch.Config))
	hash.Write(launch.Config)
	for _, m := range launch.Maps {
		fmt.Fprintf(hash, "%q %d\n", m.Path, len(m.Text))
		hash.Write(m.Text)
	}
	hash.Sum(sum[:0])
	return sum
}

// done returns the channel of the result; nil if nothing is being written.
func (u *update) done() <-chan error {
	if u.writing == nil {
		return nil
	}
	return u.writing.done
}

// beginUpdate begins to write the wanted files, if there are any. The disk may not answer:
// nothing else waits for it but the next reload.
func (h *HAProxy) beginUpdate() {
	u := &h.update
	if u.writing != nil {
		return
	}
	launch := u.wanted.Swap(nil)
	if u.at = (time.Time{}); launch == nil || h.current == nil {
		return
	}
	if contentOf(launch) == u.written {
		h.updated(launch, nil)
		return
	}
	u.writing = &writing{launch, make(chan error, 1)}
	go func(w *writing) { w.done <- h.writeFiles(*w.launch, nextSuffix) }(u.writing)
}

// retryUpdate begins to write files again that could not be written, if that is due.
func (h *HAProxy) retryUpdate() {
	if at := h.update.at; !at.IsZero() && !time.Now().Before(at) {
		h.beginUpdate()
	}
}

// wrote takes the result of a write.
func (h *HAProxy) wrote(err error) {
	launch := h.update.writing.launch
	h.update.writing = nil
	h.updated(launch, err)
}

// endUpdate takes the result of a write, and begins the next one if there is one.
func (h *HAProxy) endUpdate(err error) {
	h.wrote(err)
	if h.update.at.IsZero() {
		h.beginUpdate()
	}
}

// updated records whether the files are those of a launch.
func (h *HAProxy) updated(launch *registry.Launch, err error) {
	u := &h.update
	if err == nil {
		u.written = contentOf(launch)
		u.pause.Reset()
		if attrs, ended := u.failing.Over(time.Now()); ended {
			h.Logger.With(attrs...).Info("the configuration file is again what HAProxy runs", "file", h.ConfFile)
		}
		return
	}
	u.written = [sha256.Size]byte{}
	u.wanted.CompareAndSwap(nil, launch)
	u.at = time.Now().Add(u.pause.NextBackOff())
	if attrs, due := u.failing.Failed(time.Now(), err.Error()); due {
		h.Logger.With(attrs...).Warn("cannot rewrite the configuration file, it lacks the latest changes; HAProxy runs with them, will retry", "file", h.ConfFile, "error", err)
	}
}

// suspendUpdate waits until nothing writes the files, which a reload replaces. resume is
// called with the reload's result.
func (h *HAProxy) suspendUpdate(ctx context.Context) (resume func(launch *registry.Launch, err error), problem error) {
	u := &h.update
	if u.writing != nil {
		select {
		case err := <-u.writing.done:
			h.wrote(err)
		case <-ctx.Done():
			return nil, fmt.Errorf("the disk of %s does not answer: %w", h.ConfFile, ctx.Err())
		}
	}
	before := u.wanted.Swap(nil)
	return func(launch *registry.Launch, err error) {
		if err == nil {
			u.at = time.Time{}
			h.updated(launch, nil)
			return
		}
		u.written = [sha256.Size]byte{} // they were restored, or not
		if before != nil && u.wanted.CompareAndSwap(nil, before) {
			u.nudge()
		}
	}, nil
}

// stopUpdates waits for a moment until nothing writes the files.
func (h *HAProxy) stopUpdates() {
	if h.update.writing == nil {
		return
	}
	select {
	case err := <-h.update.writing.done:
		h.wrote(err)
	case <-time.After(stopWriting):
		h.Logger.Warn("the disk of the configuration file does not answer", "file", h.ConfFile)
	}
}

package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/haproxy-zk/haproxy-zk/control"
)

// Stop stops the haproxy-zk, and HAProxy too if haproxy is true, waits for it, and
// reports the result on out. If none is running, that is success.
func (h *Host) Stop(ctx context.Context, out io.Writer, haproxy bool) error {
	running, err := h.find(ctx)
	if err != nil {
		return err
	}
	if running.pid == 0 {
		text := "haproxy-zk is not running"
		if running.stale {
			text += "; its pid file was stale"
			removePIDFile(h.opts.PIDFile)
		}
		if _, err := fmt.Fprintln(out, text); err != nil || !haproxy {
			return err
		}
		return h.stopHAProxy(ctx, out)
	}
	end, left := h.detach, "HAProxy keeps serving"
	if haproxy {
		end, left = func(_ context.Context, p process) error { return p.signal(syscall.SIGTERM) }, "and HAProxy with it"
	}
	if err := end(ctx, running.process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop process [%d]: %w", running.pid, err)
	}
	bounded, cancel := context.WithTimeout(ctx, h.opts.Patience)
	defer cancel()
	if err := running.ended(bounded); err != nil {
		return fmt.Errorf("process [%d] did not stop within %s", running.pid, h.opts.Patience)
	}
	if haproxy {
		// A process that is killed while it stops leaves HAProxy running.
		r, _, err := ReadRecord(h.opts.RunDir)
		if err != nil {
			return fmt.Errorf("process [%d] has ended; cannot determine whether HAProxy still serves: %w", running.pid, err)
		}
		if serving := h.servingOf(r); len(serving) > 0 {
			if _, err := fmt.Fprintf(out, "process [%d] has ended without stopping HAProxy\n", running.pid); err != nil {
				return err
			}
			return h.stopLeft(ctx, out, serving)
		}
	}
	_, err = fmt.Fprintf(out, "process [%d] has ended, %s\n", running.pid, left)
	return err
}

// stopHAProxy stops HAProxys that are running without a haproxy-zk.
func (h *Host) stopHAProxy(ctx context.Context, out io.Writer) error {
	left, err := h.leftServing()
	if err != nil {
		return err
	}
	if len(left) == 0 {
		_, err := fmt.Fprintln(out, "no HAProxy of this haproxy-zk is running")
		return err
	}
	return h.stopLeft(ctx, out, left)
}

func (h *Host) detach(ctx context.Context, p process) error {
	c := control.NewClient(control.Path(h.opts.RunDir))
	listening, err := c.PID(ctx)
	if err != nil {
		return err
	}
	if listening != p.pid {
		return fmt.Errorf("the control socket in %s is that of process [%d], not of the one in %s: --run-dir and --pid-file belong together", h.opts.RunDir, listening, h.opts.PIDFile)
	}
	return c.Detach(ctx)
}

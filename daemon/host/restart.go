package host

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

// Restart checks that a successor would start with these arguments, stops the running
// haproxy-zk and starts the successor.
func (h *Host) Restart(ctx context.Context, out io.Writer, args []string) error {
	running, err := h.find(ctx)
	if err != nil {
		return err
	}
	if running.pid > 0 {
		if err := h.rehearseSuccessor(ctx, args); err != nil {
			exit, _ := errors.AsType[exitcode.Error](err)
			return exitcode.Error{Code: exit.Code, Text: fmt.Sprintf("not restarted, process [%d] is still running as before; its successor would not start:\n%s", running.pid, exit.Text)}
		}
	}
	if err := h.Stop(ctx, out, false); err != nil {
		return err
	}
	err = h.Start(ctx, out, args)
	if err == nil || running.pid == 0 {
		return err
	}
	code := exitcode.Failed
	if exit, own := errors.AsType[exitcode.Error](err); own {
		code = exit.Code
	}
	return exitcode.Error{Code: code, Text: fmt.Sprintf("%v\n%s", err, h.afterFailedStart(ctx, running.pid))}
}

// afterFailedStart reports what is running after a failed restart.
func (h *Host) afterFailedStart(ctx context.Context, before int) string {
	if now, err := h.find(ctx); err == nil && now.pid > 0 {
		return fmt.Sprintf("process [%d] has ended, and process [%d] is running in its place", before, now.pid)
	}
	left, err := h.leftServing()
	switch {
	case err != nil:
		return fmt.Sprintf("process [%d] has ended; cannot determine whether HAProxy still serves: %v", before, err)
	case len(left) == 0:
		return fmt.Sprintf("process [%d] has ended, and no HAProxy serves", before)
	}
	return fmt.Sprintf("process [%d] has ended; HAProxy (pids %s) still serves its last instances, without updates: fix the cause and run start", before, joined(pidsOf(left)))
}

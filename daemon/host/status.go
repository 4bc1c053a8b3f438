package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/logging"
	"github.com/haproxy-zk/haproxy-zk/query"
)

// exitStopped is the exit code that init scripts expect of status when nothing is
// running (LSB).
const exitStopped = 3

// Show writes the status of a running process, of which readyz is the answer to /readyz.
type Show func(out io.Writer, pid int, readyz []byte) error

// ShowText is the [Show] of scripts: that the process is running, what /readyz answers,
// and why a configuration was rejected.
func ShowText(out io.Writer, pid int, readyz []byte) error {
	_, err := fmt.Fprintf(out, "process [%d] is running\n%s\n%s", pid, strings.TrimSpace(string(readyz)), rejection(readyz))
	return err
}

// Status reports on out what is running and whether it is ready. Its error has exit
// code 3 and no text if no haproxy-zk is running.
func (h *Host) Status(ctx context.Context, out io.Writer, show Show) error {
	running, err := h.find(ctx)
	if err != nil {
		return err
	}
	if running.pid == 0 {
		text := "stopped"
		if running.stale {
			text += " (" + h.opts.PIDFile + " is stale)"
		}
		switch left, err := h.leftServing(); {
		case errors.As(err, new(exitcode.UsageError)): // neither a record nor a configuration names one
		case err != nil:
			text += fmt.Sprintf(", cannot determine whether HAProxy still serves: %v", err)
		case len(left) > 0:
			text += fmt.Sprintf(", HAProxy still serving (pids %s)", joined(pidsOf(left)))
		}
		if _, err := fmt.Fprintln(out, text); err != nil {
			return err
		}
		return exitcode.Error{Code: exitStopped}
	}
	ready, err := query.NewClient(h.opts.HTTPAddr, h.opts.HTTPFiles).Get(ctx, "/readyz")
	if err != nil {
		_, err = fmt.Fprintf(out, "process [%d] is running\nit does not respond: %v\n", running.pid, err)
		return err
	}
	return show(out, running.pid, ready.Body)
}

// maxProblem bounds the shown text of a problem, in bytes.
const maxProblem = 2000

// rejection returns what /readyz reports about a rejected configuration, one line per
// problem; empty if it was not rejected.
func rejection(ready []byte) string {
	var body struct {
		Configuration struct {
			Error string
			Since time.Time
		}
	}
	if err := json.Unmarshal(ready, &body); err != nil || body.Configuration.Error == "" {
		return ""
	}
	var text strings.Builder
	fmt.Fprintf(&text, "configuration rejected since %s, the previous one is in effect:\n", body.Configuration.Since.Local().Format(time.RFC3339))
	for problem := range strings.Lines(body.Configuration.Error) {
		fmt.Fprintf(&text, "  %s\n", logging.OneLine(problem, maxProblem))
	}
	return text.String()
}

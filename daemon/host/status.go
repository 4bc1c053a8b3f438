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

// Status reports on out what is running and whether it is ready. Its error has exit
// code 3 and no text if no haproxy-zk is running.
func (h *Host) Status(ctx context.Context, out io.Writer) error {
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
	text := fmt.Sprintf("process [%d] is running\n", running.pid)
	if ready, err := query.NewClient(h.opts.HTTPAddr, h.opts.HTTPFiles).Get(ctx, "/readyz"); err != nil {
		text += fmt.Sprintf("it does not respond: %v\n", err)
	} else {
		text += strings.TrimSpace(string(ready.Body)) + "\n" + rejection(ready.Body)
	}
	_, err = io.WriteString(out, text)
	return err
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

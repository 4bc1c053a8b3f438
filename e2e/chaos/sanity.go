package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const diedDraining = "draining worker died, its connections were cut"

// mayFollow returns the faults that may cause each of haproxy-zk's errors.
func mayFollow() map[string][]string {
	killed, hung, paused := "processes/worker killed", "processes/worker hangs", "processes/worker pauses"
	spoiled := []string{"processes/file cut short"}
	return map[string][]string{
		"worker died, its connections were cut; replacing it while the others carry its load": {killed, hung},
		diedDraining: {killed, hung},
		"no worker answers, starting new ones next to them": {killed, hung, paused},
		"killing a worker that does not answer":             {hung, paused},
		// HAProxy may lose its listeners to a worker that dies in the meantime.
		"reload failed, running generation unchanged, will retry": {killed, hung, paused},
		"invalid configuration":                                   spoiled,
		"configuration rejected, nothing has changed":             spoiled,
	}
}

// wrong returns what is wrong with a line of the log, if anything; active are the
// faults that were active when it was written.
func (l line) wrong(active []string) string {
	switch reasons, known := mayFollow()[l.Msg]; {
	case l.Level == "":
		return "what is no line of the log was written, as by a panic or a race"
	case l.Level != "ERROR", l.Component == "haproxy": // which has its own levels
		return ""
	case l.Msg == diedDraining && l.Status == "killed by SIGSEGV":
		// HAProxy 2.6.12 sometimes logs this as it ends, with nothing left to finish. A
		// request lost by it would be unexplained.
		return ""
	case !known:
		return "an error that no fault explains"
	case !slices.ContainsFunc(reasons, func(fault string) bool { return slices.Contains(active, fault) }):
		return fmt.Sprintf("an error that only %s explain", strings.Join(reasons, ", "))
	}
	return ""
}

// sane checks the log.
func (w *world) sane() (wrong []string) {
	for _, l := range w.transcript.find(func(line) bool { return true }) {
		at := l.Time
		if at.IsZero() {
			at = l.read
		}
		// The process needs a moment to notice.
		if why := l.wrong(w.journal.active(at.Add(-time.Second), at)); why != "" {
			wrong = append(wrong, fmt.Sprintf("%s at %s: %s", why, w.journal.since(at), l.text))
		}
	}
	return wrong
}

package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const diedDraining = "a worker died while it finished its connections, they were cut"

// mayFollow tells after which faults haproxy-zk may log an error.
func mayFollow() map[string][]string {
	killed, hung, paused := "processes/worker killed", "processes/worker hangs", "processes/worker pauses"
	spoiled := []string{"processes/file cut short"}
	return map[string][]string{
		"a worker died, its connections were cut and the others carry its load until it is replaced": {killed, hung},
		diedDraining: {killed, hung},
		"no worker answers, starting new ones beside them": {killed, hung, paused},
		"ending a worker that does not answer":             {hung, paused},
		// HAProxy takes its listeners from one that dies meanwhile.
		"cannot reload, what runs goes on unchanged; it is tried again until it succeeds": {killed, hung, paused},
		"the configuration is wrong":                           spoiled,
		"the configuration was not taken, nothing has changed": spoiled,
	}
}

// wrong tells what is wrong with a line of the log, if anything is; active are the
// faults that went on when it was written.
func (l line) wrong(active []string) string {
	switch reasons, known := mayFollow()[l.Msg]; {
	case l.Level == "":
		return "what is no line of the log was written, as by a panic or a race"
	case l.Level != "ERROR":
		return ""
	case l.Msg == diedDraining && l.Status == "killed by SIGSEGV":
		// HAProxy 2.6.12 has been seen to do that as it ends, with nothing left to
		// finish. A request that it costs is one that nothing explains.
		return ""
	case !known:
		return "an error that no fault explains"
	case !slices.ContainsFunc(reasons, func(fault string) bool { return slices.Contains(active, fault) }):
		return fmt.Sprintf("an error that only %s explain", strings.Join(reasons, ", "))
	}
	return ""
}

// sane looks through the log.
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

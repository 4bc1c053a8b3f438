package query

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	defaultWait = 30 * time.Second
	maxWait     = 10 * time.Minute
	// jitterPart is the part of a wait by which it is lengthened at most, so that clients
	// that came together do not return together.
	jitterPart = 16
	// wakeDelay is how long after a change blocked queries are answered. Meanwhile the change
	// reaches HAProxy's workers, which a thousand answers at once would delay on a small
	// host, and a burst of changes becomes one answer.
	wakeDelay = 20 * time.Millisecond
	// retryAfter is what a client waits, in seconds, that found no place.
	retryAfter = 5
)

// awaited is what a blocking query asks for.
type awaited struct {
	index uint64
	wait  time.Duration
}

// blocks reports whether a request has a parameter of blocking queries.
func (r request) blocks() bool {
	_, index := r.arguments["index"]
	_, wait := r.arguments["wait"]
	return index || wait
}

// awaited returns what the arguments of a request to a document ask for.
func (r request) awaited() (awaited, *problem) {
	text, given := r.arguments["index"]
	if !given {
		return awaited{}, r.route.wrong("wait is without index: give the Haproxy-Zk-Index of the answer that you have, or 0")
	}
	index, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return awaited{}, r.route.wrong("index=%s is not an index: give the Haproxy-Zk-Index of the answer that you have, or 0", echo(text))
	}
	a := awaited{index: index, wait: defaultWait}
	if text, given := r.arguments["wait"]; given {
		if a.wait, err = time.ParseDuration(text); err != nil || a.wait < 0 || a.wait > maxWait {
			return awaited{}, r.route.wrong("wait=%s is not a wait: give a duration of 0s to %s, as in 30s", echo(text), maxWait)
		}
	}
	return a, nil
}

// await blocks a query until its document has another index than the one that it gives,
// for as long as it asks. It reports whether the document is to be answered now:
// otherwise it has answered, or the client has gone.
func (s *Server) await(w http.ResponseWriter, r request) bool {
	a, wrong := r.awaited()
	if wrong != nil {
		refuse(w, http.StatusBadRequest, *wrong)
		return false
	}
	what := place{}
	if len(r.names) > 0 {
		what.proxy = r.names[0]
	}
	if len(r.names) > 1 {
		what.group = r.names[1]
	}
	if a.wait == 0 || s.documents.index(what) != a.index {
		return true
	}
	if !r.block() {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		refuse(w, http.StatusServiceUnavailable, problem{Error: "too many blocked queries: retry later, or ask without index"})
		return false
	}
	// The deadlines of the connection are those of a request that is answered at once. A
	// response that is not on a connection has none.
	deadlines := http.NewResponseController(w)
	_ = deadlines.SetReadDeadline(time.Time{})
	defer func() { _ = deadlines.SetWriteDeadline(time.Now().Add(writeTimeout)) }()

	wait := a.wait
	if jitter := wait / jitterPart; jitter > 0 {
		wait += rand.N(jitter) //nolint:gosec // not for secrets
	}
	late := time.NewTimer(wait)
	defer late.Stop()
	for {
		changed, forget := s.watches.watch(what, a.index)
		// Read again: a change before the watch began does not wake it.
		if s.documents.index(what) != a.index {
			forget()
			return true
		}
		select {
		case <-changed:
		case <-late.C:
			forget()
			return true
		case <-r.port.over:
			forget()
			return true
		case <-r.Context().Done():
			forget()
			return false
		}
	}
}

// wakeUp wakes the blocked queries whose documents change, until ctx is done.
func (s *Server) wakeUp(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		}
		if !s.watches.any() {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wakeDelay):
		}
		_, e := s.documents.read()
		s.watches.wake(e)
	}
}

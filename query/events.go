package query

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/events"
)

// Events are the recorded events. Any goroutine may call its methods, which do not block.
type Events interface {
	// After returns the first events with a number above seq, at most most of them.
	After(seq uint64, most int) events.Page
	// Changed returns a channel that is closed once there is an event with a number above
	// seq.
	Changed(seq uint64) <-chan struct{}
}

// eventsAtOnce is how many events are read at once: a request keeps no more in memory,
// and whoever records events waits no longer than it takes to copy them.
const eventsAtOnce = 64

// answerEvents answers /events: with the events up to now, or with a stream of them.
func (s *Server) answerEvents(w http.ResponseWriter, r request) {
	if s.events == nil {
		_, e := s.documents.read()
		refuse(w, http.StatusNotFound, nothingAt(r.names[0], e))
		return
	}
	filter, err := parseEventFilter(r.arguments, time.Now())
	if err != nil {
		refuse(w, http.StatusBadRequest, *r.route.wrong("%v", err))
		return
	}
	if unknown := s.unknownNames(&filter); unknown != nil {
		refuse(w, http.StatusNotFound, *unknown)
		return
	}
	if acceptsStream(r.Header) {
		s.streams.answer(s.events, filter, w, r.Request)
		return
	}
	w.Header().Set("Content-Type", typeJSON)
	if r.Method == http.MethodHead {
		return
	}
	writeEvents(w, s.events, &filter)
}

// acceptsStream reports whether a client asks for server-sent events.
func acceptsStream(h http.Header) bool {
	for _, accepted := range h.Values("Accept") {
		for kind := range strings.SplitSeq(accepted, ",") {
			kind, _, _ = strings.Cut(kind, ";")
			if strings.EqualFold(strings.TrimSpace(kind), typeStream) {
				return true
			}
		}
	}
	return false
}

// unknownNames returns the problem of a filter for a proxy or group that neither exists
// nor has an event; nil if it has none.
func (s *Server) unknownNames(f *eventFilter) *problem {
	if f.proxy == "" && f.group == "" {
		return nil
	}
	_, e := s.documents.read()
	named := eventFilter{proxy: f.proxy, group: f.group}
	i, exists := e.places[f.proxy]
	switch {
	case exists && (f.group == "" || e.documents[i].has(f.group)):
		return nil
	case f.proxy == "":
		for _, d := range e.documents {
			if d.has(f.group) {
				return nil
			}
		}
	}
	for seq := uint64(0); ; {
		page := s.events.After(seq, eventsAtOnce)
		for i := range page.Events {
			if named.matches(&page.Events[i]) {
				return nil
			}
			seq = page.Events[i].Seq
		}
		if len(page.Events) < eventsAtOnce {
			break
		}
	}
	var p problem
	switch {
	case exists:
		p = noGroup(f.group, e.documents[i].of)
	case f.proxy != "":
		p = noProxy(f.proxy, e)
	default:
		p = withProxies(fmt.Sprintf("no group %s in any proxy", echo(f.group)), e)
	}
	return &p
}

// has reports whether the document has a group.
func (d *document) has(group string) bool {
	_, has := d.groups[group]
	return has
}

// writeEvents writes the events that a filter selects, one a line, as
// {"events":[…],"complete":true,"last":N}. complete is false if some since the requested
// time are no longer kept; last is the number of the latest event, selected or not. The
// events are written as they are read, so that the answer is never in memory as a whole.
func writeEvents(w http.ResponseWriter, all Events, f *eventFilter) {
	text := []byte(`{"events":[`)
	first := true
	page := all.After(0, eventsAtOnce)
	last, complete := page.Last, true
	for {
		complete = complete && (page.Lost == 0 || page.LostAt.Before(f.since))
		seq := last
		for i := range page.Events {
			e := &page.Events[i]
			if seq = e.Seq; seq > last {
				break
			}
			if e.Time.Before(f.since) || !f.matches(e) {
				continue
			}
			if !first {
				text = append(text, ',')
			}
			first = false
			text = e.AppendJSON(append(text, '\n'))
		}
		if len(page.Events) < eventsAtOnce || seq >= last {
			break
		}
		if _, err := w.Write(text); err != nil {
			return
		}
		text = text[:0]
		page = all.After(seq, eventsAtOnce)
	}
	text = fmt.Appendf(text, "\n],\"complete\":%t,\"last\":%d}\n", complete, last)
	_, _ = w.Write(text)
}

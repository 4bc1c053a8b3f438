package query

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	typeStream = "text/event-stream"
	// maxStreams bounds the streams of events; further ones are refused. They take at most
	// one in streamPart of the connections.
	maxStreams, streamPart = 64, 4
	// A client that does not take what is sent within streamPatience is cut, at the end of
	// the server within streamFarewell.
	streamPatience, streamFarewell = 10 * time.Second, 500 * time.Millisecond
	// While nothing happens, a comment is sent every keepAlive: a client or proxy notices
	// a broken connection.
	keepAlive = 15 * time.Second
	// Events are sent at most every streamGap, so that streams do not wake for each event
	// of a burst.
	streamGap = 100 * time.Millisecond
	// reconnectAfter is when a client connects again after the end of its stream.
	reconnectAfter = 3 * time.Second
)

// streams are the streams of events. They end with the server.
type streams struct {
	slots chan struct{}
	ctx   context.Context // done at the end of the server
	end   context.CancelFunc
}

func newStreams(connections int) *streams {
	s := &streams{slots: make(chan struct{}, max(1, min(maxStreams, connections/streamPart)))}
	s.ctx, s.end = context.WithCancel(context.Background())
	return s
}

// answer sends the events that a filter selects, as server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html), until the client or
// the server ends. It begins after the event named by Last-Event-ID, else with the
// filter's time, else with the next event.
func (s *streams) answer(all Events, f eventFilter, w http.ResponseWriter, r *http.Request) {
	from, missed, err := beginning(all, &f, r.Header.Get("Last-Event-ID"))
	if err != nil {
		refuse(w, http.StatusBadRequest, problem{Error: err.Error()})
		return
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		w.Header().Set("Retry-After", strconv.Itoa(int(reconnectAfter/time.Second)))
		refuse(w, http.StatusServiceUnavailable, problem{Error: fmt.Sprintf("too many streams of events, at most %d: retry later", cap(s.slots))})
		return
	}
	w.Header().Set("Content-Type", typeStream)
	if r.Method == http.MethodHead {
		return
	}
	st := &stream{streams: s, all: all, filter: f, to: w, control: http.NewResponseController(w), seq: from, id: from}
	st.past = all.After(0, 0).Last
	defer context.AfterFunc(s.ctx, st.hurry)()
	// The server's time limits are for short requests: reading beyond its limit would
	// cancel this one.
	_ = st.control.SetReadDeadline(time.Time{})
	st.run(r.Context(), missed)
}

// beginning returns the number after which a stream begins, and whether the client has
// missed events before. The client may have got as far as a number that this process does
// not know, if the file of the events was lost.
func beginning(all Events, f *eventFilter, lastID string) (seq uint64, missed bool, err error) {
	last := all.After(0, 0).Last
	if lastID == "" {
		if f.since.IsZero() {
			seq = last
		}
		return seq, false, nil
	}
	if seq, err = strconv.ParseUint(lastID, 10, 64); err != nil {
		return 0, false, fmt.Errorf("the Last-Event-ID %s is not the number of an event", echo(lastID))
	}
	f.since = time.Time{} // the client has been told of everything before the number
	if seq > last {
		return 0, true, nil
	}
	return seq, false, nil
}

// stream is one stream of events. It belongs to one goroutine, except for hurry.
type stream struct {
	*streams
	all     Events
	filter  eventFilter
	to      http.ResponseWriter
	control *http.ResponseController
	seq     uint64 // all events up to it were considered
	id      uint64 // the client knows that
	past    uint64 // later events are selected whatever their time: the clock may be set back
	lost    uint64 // the client knows of events lost up to this number
	text    []byte
}

// run sends events until ctx or the server is done, or the client does not take them.
func (s *stream) run(ctx context.Context, missed bool) {
	s.text = fmt.Appendf(nil, "retry: %d\n\n", reconnectAfter.Milliseconds())
	if missed {
		s.text = append(s.text, missedEvents...)
	}
	silence := time.NewTimer(keepAlive)
	defer silence.Stop()
	for {
		if !s.sendAll() {
			return
		}
		pause := time.NewTimer(streamGap)
		select {
		case <-pause.C:
		case <-ctx.Done():
		case <-s.ctx.Done():
		}
		pause.Stop()
		silence.Reset(keepAlive)
		select {
		case <-ctx.Done():
			return
		case <-s.ctx.Done():
			s.sendAll()
			return
		case <-s.all.Changed(s.seq):
		case <-silence.C:
			s.text = append(s.text, ": nothing has happened\n"...)
			if s.id != s.seq { // events that the filter does not select
				s.text = fmt.Appendf(s.text, "id: %d\n", s.seq)
				s.id = s.seq
			}
			s.text = append(s.text, '\n')
		}
	}
}

// missedEvents says that events are no longer kept that the client has not got.
const missedEvents = "event: missed\ndata: {}\n\n"

// sendAll sends what is to be sent and all events up to now.
func (s *stream) sendAll() bool {
	for {
		page := s.all.After(s.seq, eventsAtOnce)
		if page.Lost > max(s.seq, s.lost) && (page.Lost > s.past || !page.LostAt.Before(s.filter.since)) {
			s.text = append(s.text, missedEvents...)
		}
		s.lost = max(s.lost, page.Lost)
		for i := range page.Events {
			e := &page.Events[i]
			if s.seq = e.Seq; s.filter.matches(e) && (e.Seq > s.past || !e.Time.Before(s.filter.since)) {
				s.text = fmt.Appendf(s.text, "id: %d\ndata: ", e.Seq)
				s.text = append(e.AppendJSON(s.text), "\n\n"...)
				s.id = e.Seq
			}
		}
		if !s.send() {
			return false
		}
		if len(page.Events) < eventsAtOnce {
			return true
		}
	}
}

// send sends what is to be sent, and reports whether the client took it.
func (s *stream) send() bool {
	if len(s.text) == 0 {
		return true
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(streamPatience))
	if s.ctx.Err() != nil {
		s.hurry()
	}
	_, err := s.to.Write(s.text)
	s.text = s.text[:0]
	return err == nil && s.control.Flush() == nil
}

// hurry cuts a client that does not take what is being sent to it at the end of the
// server.
func (s *stream) hurry() { _ = s.control.SetWriteDeadline(time.Now().Add(streamFarewell)) }

package query

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/haproxy-zk/haproxy-zk/ui"
)

// The parameters of a stream say which page the client has, and in which language, whether
// its address says so or not.
const (
	markParameter = "mark"
	inParameter   = "in"
)

const (
	// An open page is compared with what is the case every lookEvery, or after a change, but
	// not sooner than lookGap after the last time.
	lookEvery, lookGap = time.Second, 200 * time.Millisecond
	// Looking takes at most one part in lookPart of the time of a processor, and is never
	// put off for longer than lookLate.
	lookPart = 10
	lookLate = 10 * time.Second
	// pageKeepAlive is sent instead of nothing, so that an open page knows that nothing has
	// changed.
	pageKeepAlive = "data: .\n\n"
)

// answerPageStream answers with the changes of a page as server-sent events. A message is
// {"build":…} at the beginning, "." if nothing has changed for a while, and otherwise what
// [ui.Sheets.Since] returns.
func (s *Server) answerPageStream(w http.ResponseWriter, r request) {
	mark := r.arguments[markParameter]
	view, wrong := s.view(r)
	if wrong != nil {
		refuse(w, http.StatusBadRequest, *wrong)
		return
	}
	if l := ui.Lang(r.arguments[inParameter]); view.Asked.Lang == "" && (l == ui.English || l == ui.Chinese) {
		view.Lang = l
	}
	select {
	case s.streams.slots <- struct{}{}:
		defer func() { <-s.streams.slots }()
	default:
		w.Header().Set("Retry-After", strconv.Itoa(int(reconnectAfter/time.Second)))
		refuse(w, http.StatusServiceUnavailable, problem{Error: fmt.Sprintf("too many streams, at most %d: retry later", cap(s.streams.slots))})
		return
	}
	w.Header().Set("Content-Type", typeStream)
	if r.Method == http.MethodHead {
		return
	}
	st := &stream{streams: s.streams, to: w, control: http.NewResponseController(w)}
	defer context.AfterFunc(s.streams.ctx, st.hurry)()
	_ = st.control.SetReadDeadline(time.Time{})
	st.text = fmt.Appendf(nil, "retry: %d\ndata: {\"build\":%q}\n\n", reconnectAfter.Milliseconds(), s.pages.Build)
	if st.send() {
		s.followPage(r.Context(), st, view, mark)
	}
}

// followPage sends the changes of a page until ctx or the server is done, or the client
// does not take them. The client has the page of a mark.
func (s *Server) followPage(ctx context.Context, st *stream, view *ui.View, mark string) {
	var shown *ui.Sheets
	view.Steady = make(ui.Steady)
	said := time.Now()
	seq, listed := uint64(0), time.Time{}
	for {
		began := time.Now()
		view.Now = began
		var err error
		if view.Overview, err = s.overview(ctx); err != nil {
			return
		}
		looked := time.Now()
		if last := s.lastEvent(); last != seq || looked.Sub(listed) > time.Minute {
			view.Events = s.latest(view)
			seq, listed = last, looked
		}
		now := s.pages.Sheets(view)
		if shown == nil && now.Mark() == mark {
			shown = now
		}
		if changes := now.Since(shown); changes != nil {
			st.text = append(append(append(st.text, "data: "...), changes...), "\n\n"...)
		} else if time.Since(said) >= keepAlive {
			st.text = append(st.text, pageKeepAlive...)
		}
		if len(st.text) > 0 {
			said = time.Now()
		}
		if shown = now; !st.send() || !s.awaitLook(ctx, st, min(lookLate, lookPart*time.Since(began))) {
			return
		}
	}
}

// awaitLook waits until it is time to look again: for a while, and at least for a time
// that depends on what a look costs. It reports whether the stream goes on.
func (s *Server) awaitLook(ctx context.Context, st *stream, least time.Duration) bool {
	changed, forget := s.watches.watch(place{}, s.documents.index(place{}))
	defer forget()
	pause := time.NewTimer(max(lookGap, least))
	defer pause.Stop()
	late := time.NewTimer(max(lookEvery, least))
	defer late.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return false
	case <-st.ctx.Done():
		return false
	}
	select {
	case <-changed:
	case <-late.C:
	case <-ctx.Done():
		return false
	case <-st.ctx.Done():
		return false
	}
	return true
}

// lastEvent returns the number of the latest event; 0 if there is none.
func (s *Server) lastEvent() uint64 {
	if s.events == nil {
		return 0
	}
	return s.events.After(^uint64(0), 0).Last
}

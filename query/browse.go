package query

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/events"
	"github.com/haproxy-zk/haproxy-zk/ui"
)

const typeHTML = "text/html; charset=utf-8"

// mostEvents is how many events the page shows.
const mostEvents = 50

// prefersPage reports whether a request is a browser's, which names text/html, and not a
// program's.
func prefersPage(h http.Header) bool {
	html, json := 0.0, 0.0
	for _, list := range h.Values("Accept") {
		for item := range strings.SplitSeq(list, ",") {
			kind, parameters, _ := strings.Cut(item, ";")
			weight := 1.0
			for parameter := range strings.SplitSeq(parameters, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
				if strings.EqualFold(name, "q") {
					weight, _ = strconv.ParseFloat(value, 64) // malformed is 0
				}
			}
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "text/html":
				html = weight
			case typeJSON:
				json = weight
			}
		}
	}
	return html > 0 && html >= json
}

// sendToPage answers a browser that asks for `/` with the address of the page.
func sendToPage(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Vary", "Accept")
	h.Set("Location", ui.Path)
	w.WriteHeader(http.StatusSeeOther)
}

// pageParameters are those of the page and of its stream.
func pageParameters() (all []parameter) {
	for _, p := range ui.Parameters() {
		all = append(all, parameter{name: p[0], does: p[1]})
	}
	return all
}

// answerPage answers with the page for people.
func (s *Server) answerPage(w http.ResponseWriter, r request) {
	view, wrong := s.view(r)
	if wrong != nil {
		refuse(w, http.StatusBadRequest, *wrong)
		return
	}
	var err error
	if view.Overview, err = s.overview(r.Context()); err != nil {
		return // the client is gone
	}
	view.Events = s.latest(view)
	h := w.Header()
	h.Set("Content-Security-Policy", ui.Policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Language", string(view.Lang))
	h.Set("Vary", "Accept-Language")
	reply(w, http.StatusOK, typeHTML, s.pages.Page(view))
}

// view returns what a request asks to see, without the content.
func (s *Server) view(r request) (*ui.View, *problem) {
	asked, err := ui.Parse(r.arguments)
	if err != nil {
		return nil, r.route.wrong("%v", err)
	}
	v := &ui.View{Asked: asked, Lang: asked.Lang, Now: time.Now()}
	if v.Lang == "" {
		v.Lang = ui.Prefer(r.Header.Values("Accept-Language"))
	}
	return v, nil
}

// latest returns the latest events that a page asks for.
func (s *Server) latest(v *ui.View) (found ui.Events) {
	if s.events == nil {
		return ui.Events{}
	}
	filter := eventFilter{group: v.Asked.Of}
	if v.Asked.Kind != "" {
		filter.kinds = append(filter.kinds, v.Asked.Kind)
	}
	if v.Asked.Since > 0 {
		filter.since = v.Now.Add(-v.Asked.Since)
	}
	// The latest are kept in a ring: the oldest of them is at next.
	ring := make([]events.Event, 0, mostEvents)
	next, n := 0, 0
	for seq := uint64(0); ; {
		part := s.events.After(seq, eventsAtOnce)
		found.Lost = part.Lost > 0 && !part.LostAt.Before(filter.since)
		for i := range part.Events {
			e := &part.Events[i]
			seq = e.Seq
			if e.Time.Before(filter.since) || !filter.matches(e) {
				continue
			}
			if n++; len(ring) < mostEvents {
				ring = append(ring, *e)
				continue
			}
			ring[next] = *e
			next = (next + 1) % mostEvents
		}
		if len(part.Events) < eventsAtOnce {
			break
		}
	}
	found.More = n > mostEvents
	for i := range ring {
		e := &ring[(next+len(ring)-1-i)%len(ring)]
		found.List = append(found.List, ui.Event{Seq: e.Seq, Time: e.Time, Event: e.Event})
	}
	return found
}

// answerFile answers with a file of the page.
func (s *Server) answerFile(w http.ResponseWriter, r request) {
	p := s.files[r.names[1]]
	w.Header().Set("Cache-Control", "no-cache") // kept, and asked for again by its tag
	p.answer(w, r.Request)
}

// newFiles returns the files of the page by their names.
func newFiles() map[string]*page {
	files := make(map[string]*page)
	for _, f := range ui.Files() {
		files[f.Name] = newPage(f.Type, 0, func() []byte { return f.Text })
	}
	return files
}

package query

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	typeJSON = "application/json"
	typeText = "text/plain; charset=utf-8"

	// Headers of instances: "1" when they may be out of date, and how many the loss guard holds.
	headerStale = "Haproxy-Zk-Stale"
	headerHeld  = "Haproxy-Zk-Held"
)

func (s *Server) answerHealth(w http.ResponseWriter, _ request) {
	reply(w, http.StatusOK, typeText, []byte("ok\n"))
}

func (s *Server) answerMetrics(w http.ResponseWriter, r request) {
	if s.metrics == nil {
		_, e := s.documents.read()
		refuse(w, http.StatusNotFound, nothingAt(r.names[0], e))
		return
	}
	s.scrapes.handle(s.metrics, w, r.Request)
}

// answerDocument answers with the instances in service of everything, of a proxy or of a
// group.
func (s *Server) answerDocument(w http.ResponseWriter, r request) {
	switch {
	case r.top():
		s.answerTop(w, r)
		return
	case r.live():
		s.answerLive(w, r)
		return
	}
	if r.blocks() && !s.await(w, r) {
		return
	}
	proxies, e := s.documents.read()
	if len(r.names) == 0 {
		setFreshness(w.Header(), proxies, "")
		e.whole.answer(w, r.Request)
		return
	}
	i, known := s.proxy(w, r, e)
	if !known {
		return
	}
	d := e.documents[i]
	if len(r.names) == 1 {
		setFreshness(w.Header(), proxies[i:i+1], "")
		d.whole.answer(w, r.Request)
		return
	}
	setFreshness(w.Header(), proxies[i:i+1], r.names[1])
	group, known := d.groups[r.names[1]]
	if !known {
		refuse(w, http.StatusNotFound, noGroup(r.names[1], d.of))
		return
	}
	group.page.answer(w, r.Request)
}

// proxy returns the place of the requested proxy in an edition, or answers that there is
// none.
func (s *Server) proxy(w http.ResponseWriter, r request, e *edition) (i int, known bool) {
	name := r.names[0]
	i, known = e.places[name]
	switch {
	case registry.Reserved(name):
		refuse(w, http.StatusNotFound, nothingAt(name, e))
		return 0, false
	case !known:
		refuse(w, http.StatusNotFound, noProxy(name, e))
	}
	return i, known
}

// split returns the decoded names of a path, at most four. A trailing slash is ignored.
func split(escaped string) []string {
	names := strings.SplitN(strings.TrimPrefix(escaped, "/"), "/", 4)
	if last := len(names) - 1; names[last] == "" {
		names = names[:last]
	}
	for i, name := range names {
		if decoded, err := url.PathUnescape(name); err == nil {
			names[i] = decoded
		}
	}
	return names
}

// setFreshness sets the headers for the age of an answer about proxies, or about one
// group, and for the number of held instances in it. The oldest contact counts; without
// any contact there is no age.
func setFreshness(h http.Header, asked []Proxy, group string) {
	var age time.Duration
	held := 0
	heard := len(asked) > 0
	for _, p := range asked {
		held += p.Snapshot().Held(group)
		for _, contact := range p.ConnectionStatus().All() {
			if !contact.Connected || len(contact.Recalled) > 0 {
				h.Set(headerStale, "1")
			}
			if contact.Last.IsZero() {
				heard = false
				continue
			}
			age = max(age, time.Since(contact.Last))
		}
	}
	if held > 0 {
		h.Set(headerHeld, strconv.Itoa(held))
	}
	if heard {
		h.Set("Age", strconv.Itoa(int(age.Seconds())))
	}
}

func reply(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

package query

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	typeJSON = "application/json"
	typeText = "text/plain; charset=utf-8"
)

// answer is the mux. [http.ServeMux] redirects paths that it finds unclean,
// which a client that asks by name does not expect.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if r.ContentLength != 0 {
		// Else net/http waits for the body before it sends the answer.
		h.Set("Connection", "close")
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, notAllowed(r.Method))
		return
	}

	names := split(r.URL.EscapedPath())
	if len(names) == 1 {
		switch {
		case names[0] == "healthz":
			reply(w, http.StatusOK, typeText, []byte("ok\n"))
			return
		case names[0] == "readyz":
			s.answerReady(w)
			return
		case names[0] == "metrics" && s.metrics != nil:
			s.scrapes.serve(s.metrics, w, r)
			return
		}
	}
	s.answerDocument(w, names)
}

func (s *Server) answerDocument(w http.ResponseWriter, names []string) {
	proxies, e := s.documents.read()
	if len(names) == 0 {
		tell(w.Header(), proxies, "")
		reply(w, http.StatusOK, typeJSON, e.whole)
		return
	}
	i, known := e.index[names[0]]
	switch {
	case reserved(names[0]):
		refuse(w, http.StatusNotFound, nothingAt(names[0], e))
		return
	case len(names) > 2:
		refuse(w, http.StatusNotFound, tooDeep(e))
		return
	case !known:
		refuse(w, http.StatusNotFound, noProxy(names[0], e))
		return
	}

	d := e.documents[i]
	if len(names) == 1 {
		tell(w.Header(), proxies[i:i+1], "")
		reply(w, http.StatusOK, typeJSON, d.whole)
		return
	}
	tell(w.Header(), proxies[i:i+1], names[1])
	body, known := d.groups[names[1]]
	if !known {
		refuse(w, http.StatusNotFound, noGroup(names[1], d.of))
		return
	}
	reply(w, http.StatusOK, typeJSON, body)
}

// split returns the decoded names of a path, four at most. One slash at the end
// is no name.
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

// reserved tells the names that no proxy can have.
func reserved(name string) bool {
	switch name {
	case "metrics", "healthz", "readyz", "ui", "static", "events", "openapi.json", "favicon.ico":
		return true
	}
	return false
}

// tell sets the headers that say how fresh an answer about these proxies is, or
// about one group, and how many of the instances in it are held.
// The one heard longest ago counts; one never heard has no age to tell.
func tell(h http.Header, asked []Proxy, group string) {
	var age time.Duration
	held := 0
	heard := len(asked) > 0
	for _, p := range asked {
		held += p.Snapshot().Held(group)
		contact := p.Contact()
		if !contact.Connected || len(contact.Recalled) > 0 {
			h.Set("Haproxy-Zk-Stale", "1")
		}
		if contact.Last.IsZero() {
			heard = false
			continue
		}
		age = max(age, time.Since(contact.Last))
	}
	if held > 0 {
		h.Set("Haproxy-Zk-Held", strconv.Itoa(held))
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

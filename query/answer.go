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
)

// route is the mux. [http.ServeMux] redirects paths that it considers unclean, which
// clients that ask for a name do not expect.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if r.ContentLength != 0 {
		// Otherwise net/http waits for the body before it sends the answer.
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
			s.scrapes.handle(s.metrics, w, r)
			return
		case names[0] == "events" && s.events != nil:
			s.answerEvents(w, r)
			return
		}
	}
	if !s.answerLive(w, r, names) {
		s.answerDocument(w, names)
	}
}

func (s *Server) answerDocument(w http.ResponseWriter, names []string) {
	proxies, e := s.documents.read()
	if len(names) == 0 {
		setFreshness(w.Header(), proxies, "")
		reply(w, http.StatusOK, typeJSON, e.whole())
		return
	}
	i, known := e.index[names[0]]
	switch {
	case registry.Reserved(names[0]):
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
		setFreshness(w.Header(), proxies[i:i+1], "")
		reply(w, http.StatusOK, typeJSON, d.whole())
		return
	}
	setFreshness(w.Header(), proxies[i:i+1], names[1])
	group, known := d.groups[names[1]]
	if !known {
		refuse(w, http.StatusNotFound, noGroup(names[1], d.of))
		return
	}
	reply(w, http.StatusOK, typeJSON, group.text)
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
		contact := p.ConnectionStatus()
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

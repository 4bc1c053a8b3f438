package query

import (
	"net"
	"net/http"
)

// Port is an address at which a [Server] answers.
type Port struct {
	Listener net.Listener
	// Detail is false for a port that answers only what may be shown to more people: the
	// documents, /healthz, /readyz and /metrics.
	Detail bool
}

// port is a Port in use.
type port struct {
	*Server
	detail bool
	// over is closed once the port is to end; nil is never.
	over <-chan struct{}
}

// ServeHTTP answers a request. It is not an [http.ServeMux], which redirects paths that
// it considers unclean: clients that ask for a name do not expect that.
func (p *port) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	rt := p.table.find(names, p.documents.has)
	if (rt == nil || !rt.open) && !p.access.Load().allows(r.Header) {
		h.Set("Www-Authenticate", "Bearer")
		if rt != nil && (rt.browsed || rt == p.table.all && prefersPage(r.Header)) {
			h.Add("Www-Authenticate", `Basic realm="haproxy-zk: the token as the password", charset="UTF-8"`)
		}
		refuse(w, http.StatusUnauthorized, unauthorized())
		return
	}
	if rt == nil {
		_, e := p.documents.read()
		refuse(w, http.StatusNotFound, noPath(names[0], p.table.paths(p.detail), e))
		return
	}
	var given arguments
	if !rt.lenient {
		var wrong *problem
		if given, wrong = rt.parse(r.URL.RawQuery); wrong != nil {
			refuse(w, http.StatusBadRequest, *wrong)
			return
		}
	}
	if !p.detail && rt.detailed(given) {
		refuse(w, http.StatusNotFound, elsewhere())
		return
	}
	if rt == p.table.all && p.detail && len(given) == 0 && prefersPage(r.Header) {
		sendToPage(w)
		return
	}
	rt.answer(p.Server, w, request{Request: r, route: rt, names: names, arguments: given, port: p})
}

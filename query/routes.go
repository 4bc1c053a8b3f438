package query

import (
	"net/http"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/ui"
)

// route is a path of the port. Everything that is said about paths and parameters, in
// answers, in openapi.json and in its test, comes from [routes].
type route struct {
	// path is as in the documents; its elements in braces are names.
	path string
	does string
	// parameters are all that a request may have.
	parameters []parameter
	// lenient is true if any parameter is accepted and ignored: probes and scrapers add
	// some of their own, and must not fail because of that.
	lenient bool
	// detail is true for a path that is at HTTP_DETAIL_ADDR only, if there is one.
	detail bool
	// open is true for a path that needs no token.
	open bool
	// browsed is true for a path that only browsers open, which ask for the token.
	browsed bool
	answer  func(*Server, http.ResponseWriter, request)
}

// request is a request to a route.
type request struct {
	*http.Request
	route *route
	// names are the decoded elements of the path.
	names []string
	// arguments are nil if there are none.
	arguments arguments
	port      *port
}

func routes() []route {
	awaiting := []parameter{
		{name: "index", does: "wait until the document's index differs from this one, which a Haproxy-Zk-Index header had"},
		{name: "wait", does: "how long to wait at most"},
	}
	top := []parameter{
		{name: topParameter, does: "the instances with the most errors, sessions or rate, of all workers", detail: true},
		{name: limitParameter, does: "how many instances top lists at most", detail: true},
	}
	live := append(slices.Clone(awaiting),
		parameter{name: detailParameter, does: "what each worker reports of each instance, and why one does not serve", detail: true},
		parameter{name: passingParameter, does: "only instances that are up in every worker", detail: true},
	)
	live = append(live, top...)
	ofEvents := []parameter{
		{name: "since", does: "events since then: a duration such as 1h30m, or a time such as 2026-01-02T15:04:05Z"},
		{name: "proxy", does: "events of this proxy"},
		{name: "group", does: "events of this group"},
		{name: "kind", does: "events of this kind, or of several, separated by commas"},
	}
	ofPage := pageParameters()
	all := []route{
		{path: "/", does: "instances in service of every proxy", parameters: append(awaiting, top...), answer: (*Server).answerDocument},
		{path: "/{proxy}", does: "instances in service of a proxy", parameters: live, answer: (*Server).answerDocument},
		{path: "/{proxy}/{group}", does: "instances in service of a group", parameters: live, answer: (*Server).answerDocument},
		{path: "/healthz", does: "whether the process lives", lenient: true, open: true, answer: (*Server).answerHealth},
		{path: "/readyz", does: "whether requests should be sent to this HAProxy", lenient: true, open: true, answer: (*Server).answerReady},
		{path: "/metrics", does: "metrics for Prometheus", lenient: true, answer: (*Server).answerMetrics},
		{path: "/events", does: "what changed: up to now, or as a stream of server-sent events", parameters: ofEvents, detail: true, answer: (*Server).answerEvents},
		{path: "/{proxy}/config", does: "HAProxy's configuration, without secrets", detail: true, answer: (*Server).answerConfig},
		{path: "/openapi.json", does: "description of this API", detail: true, answer: (*Server).answerDescription},
		{path: ui.Path, does: "page for people", parameters: ofPage, detail: true, browsed: true, answer: (*Server).answerPage},
		{
			path: ui.Path + "/stream", does: "changes of the page, as a stream of server-sent events", detail: true, browsed: true, answer: (*Server).answerPageStream,
			parameters: append(slices.Clone(ofPage), parameter{name: markParameter, does: "the page that the client has, by its data-mark"}, parameter{name: inParameter, does: "language of that page"}),
		},
	}
	for _, f := range ui.Files() {
		all = append(all, route{path: ui.Path + "/" + f.Name, does: "file of the page", detail: true, browsed: true, answer: (*Server).answerFile})
	}
	return all
}

// table finds routes by paths.
type table struct {
	routes                []route
	all, ofProxy, ofGroup *route
	// fixed are the routes of one fixed element, below those of {proxy} and a fixed one, by
	// that element.
	fixed, below map[string]*route
	// beside are the routes of two fixed elements.
	beside map[[2]string]*route
}

func newTable(routes []route) *table {
	t := &table{routes: routes, fixed: make(map[string]*route), below: make(map[string]*route), beside: make(map[[2]string]*route)}
	for i := range routes {
		rt := &routes[i]
		below, inProxy := strings.CutPrefix(rt.path, "/{proxy}/")
		first, second, two := strings.Cut(strings.TrimPrefix(rt.path, "/"), "/")
		switch {
		case rt.path == "/":
			t.all = rt
		case rt.path == "/{proxy}":
			t.ofProxy = rt
		case below == "{group}":
			t.ofGroup = rt
		case inProxy:
			t.below[below] = rt
		case two:
			t.beside[[2]string{first, second}] = rt
		default:
			t.fixed[strings.TrimPrefix(rt.path, "/")] = rt
		}
	}
	return t
}

// find returns the route of the decoded elements of a path; nil if there is none.
// isGroup reports whether there is a group of these names: it hides a fixed route.
func (t *table) find(names []string, isGroup func(proxy, group string) bool) *route {
	switch len(names) {
	case 0:
		return t.all
	case 1:
		if rt := t.fixed[names[0]]; rt != nil {
			return rt
		}
		return t.ofProxy
	case 2:
		if rt := t.beside[[2]string(names)]; rt != nil {
			return rt
		}
		if rt := t.below[names[1]]; rt != nil && !isGroup(names[0], names[1]) {
			return rt
		}
		return t.ofGroup
	}
	return nil
}

// paths returns the paths that a port answers, in words.
func (t *table) paths(detail bool) string {
	var all []string
	for _, rt := range t.routes {
		if (detail || !rt.detail) && !strings.HasPrefix(rt.path, ui.Path+"/") {
			all = append(all, rt.path)
		}
	}
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " or " + all[last]
}

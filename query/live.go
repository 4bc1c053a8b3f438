package query

import (
	"net/http"
	"strconv"

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
)

// The parameters of requests for what HAProxy's workers report.
const (
	detailParameter  = "detail"
	passingParameter = "passing"
)

// live reports whether the request asks for what HAProxy's workers report.
func (r request) live() bool {
	_, detail := r.arguments[detailParameter]
	_, passing := r.arguments[passingParameter]
	return detail || passing
}

// answerLive answers a request with the parameter `detail` or `passing`: a proxy or a
// group as HAProxy's workers report it.
func (s *Server) answerLive(w http.ResponseWriter, r request) {
	if len(r.arguments) > 1 {
		refuse(w, http.StatusBadRequest, *r.route.wrong("%s and %s answer what is the case now: give one of them alone", detailParameter, passingParameter))
		return
	}
	proxies, e := s.documents.read()
	i, known := s.proxy(w, r, e)
	if !known {
		return
	}
	of, group := e.documents[i].of, ""
	if len(r.names) == 2 {
		group = r.names[1]
		if !e.documents[i].has(group) {
			refuse(w, http.StatusNotFound, noGroup(group, of))
			return
		}
	}
	var reading *stats.Reading
	if s.statistics != nil {
		var err error
		if reading, err = s.statistics(r.Context(), of.Proxy, group); err != nil {
			return // the client is gone
		}
	}
	if reading == nil || reading.Workers == 0 {
		refuse(w, http.StatusServiceUnavailable, problem{Error: "no HAProxy worker answers"})
		return
	}
	setFreshness(w.Header(), proxies[i:i+1], group)
	if n := len(reading.Silent); n > 0 {
		w.Header().Set("Haproxy-Zk-Silent-Workers", strconv.Itoa(n))
	}
	if _, detail := r.arguments[detailParameter]; detail {
		reply(w, http.StatusOK, typeJSON, s.details.of(of, reading, group, proxies[i].Registrations))
		return
	}
	reply(w, http.StatusOK, typeJSON, passing(of, reading, group))
}

// render returns a document of a proxy, or of one group of it: appendGroup appends a group.
func render(s *registry.Snapshot, r *stats.Reading, only string, appendGroup func([]byte, pair) []byte) []byte {
	text := append(appendString([]byte{'{'}, s.Proxy), ":{"...)
	for i, p := range pairs(s, r, only) {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendGroup(text, p)
	}
	return append(text, "}}\n"...)
}

// pair is a group of a snapshot and what the workers report of it, which may be nothing.
type pair struct {
	of  registry.Group
	has stats.Group
}

// pairs returns the groups of a snapshot in its order, or only one of them.
func pairs(s *registry.Snapshot, r *stats.Reading, only string) (all []pair) {
	reported := make(map[string]stats.Group, len(r.Groups))
	for _, g := range r.Groups {
		reported[g.Name] = g
	}
	for _, g := range s.Groups {
		if only == "" || only == g.Name {
			all = append(all, pair{*g, reported[g.Name]})
		}
	}
	return all
}

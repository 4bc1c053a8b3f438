package query

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
)

// The parameters of requests for what HAProxy's workers report.
const (
	detailParameter  = "detail"
	passingParameter = "passing"
)

var errBoth = errors.New("use either detail or passing")

// wantsLive reports which of the parameters a query has; empty if none.
func wantsLive(query url.Values) (parameter string, err error) {
	switch detail, passing := query.Has(detailParameter), query.Has(passingParameter); {
	case detail && passing:
		return "", errBoth
	case detail:
		return detailParameter, nil
	case passing:
		return passingParameter, nil
	}
	return "", nil
}

// answerLive answers a request with the parameter `detail` or `passing`, and reports
// whether it was one: a proxy or a group as HAProxy's workers report it.
func (s *Server) answerLive(w http.ResponseWriter, r *http.Request, names []string) (answered bool) {
	if s.statistics == nil || r.URL.RawQuery == "" || len(names) < 1 || len(names) > 2 {
		return false
	}
	parameter, err := wantsLive(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, problem{Error: err.Error()})
		return true
	}
	proxies, e := s.documents.read()
	i, known := e.index[names[0]]
	if parameter == "" || !known {
		return false // which answers that there is no such proxy
	}
	of, group := e.documents[i].of, ""
	if len(names) == 2 {
		group = names[1]
		if _, known := e.documents[i].groups[group]; !known {
			return false
		}
	}
	reading, err := s.statistics(r.Context(), of.Proxy)
	switch {
	case err != nil:
		return true // the client is gone
	case reading == nil || reading.Workers == 0:
		refuse(w, http.StatusServiceUnavailable, problem{Error: "no HAProxy worker answers"})
		return true
	}
	setFreshness(w.Header(), proxies[i:i+1], group)
	if n := len(reading.Silent); n > 0 {
		w.Header().Set("Haproxy-Zk-Silent-Workers", strconv.Itoa(n))
	}
	if parameter == detailParameter {
		reply(w, http.StatusOK, typeJSON, s.details.of(of, reading, group))
		return true
	}
	reply(w, http.StatusOK, typeJSON, passing(of, reading, group))
	return true
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
			all = append(all, pair{g, reported[g.Name]})
		}
	}
	return all
}

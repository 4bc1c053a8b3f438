package query

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/stats"
)

// The parameters of requests for the busiest instances.
const (
	topParameter   = "top"
	limitParameter = "limit"
)

// What `top` sorts by.
const (
	topErrors   = "errors"
	topSessions = "sessions"
	topRate     = "rate"
)

// TopOrders returns the values of `top`.
func TopOrders() []string { return []string{topErrors, topSessions, topRate} }

// By default `top` lists topDefault instances, and at most topLimit.
const topDefault, topLimit = 20, 1000

// topInstance is an instance in an answer to `top`.
type topInstance struct {
	Proxy   string `json:"proxy"`
	Group   string `json:"group"`
	Address string `json:"address"`
	// State is as in `?detail`, without those of the guard.
	State string `json:"state"`
	// Sessions run now, Queue wait now.
	Sessions uint64 `json:"sessions"`
	Queue    uint64 `json:"queue"`
	// SessionsTotal and ErrorsTotal are since haproxy-zk first asked.
	SessionsTotal uint64    `json:"sessions_total"`
	ErrorsTotal   uint64    `json:"errors_total"`
	ResponseTime  *float64  `json:"response_time_seconds"` // nil without HTTP
	Rates         *topRates `json:"rates"`                 // nil until there are two readings
}

// topRates are per second.
type topRates struct {
	Window       float64 `json:"window_seconds"`
	Sessions     float64 `json:"sessions_per_second"`
	Errors       float64 `json:"errors_per_second"`
	Responses5xx float64 `json:"responses_5xx_per_second"`
	Share5xx     float64 `json:"responses_5xx_share"`
	BytesIn      float64 `json:"bytes_in_per_second"`
	BytesOut     float64 `json:"bytes_out_per_second"`
}

// top reports whether the request asks for the busiest instances.
func (r request) top() bool {
	_, top := r.arguments[topParameter]
	_, limit := r.arguments[limitParameter]
	return top || limit
}

// answerTop answers a request with the parameter `top`: the instances of everything, of a
// proxy or of a group that have the most of something.
func (s *Server) answerTop(w http.ResponseWriter, r request) {
	by, limit, wrong := r.topArguments()
	if wrong != nil {
		refuse(w, http.StatusBadRequest, *wrong)
		return
	}
	proxies, e := s.documents.read()
	of, group := e.documents, ""
	if len(r.names) > 0 {
		i, known := s.proxy(w, r, e)
		if !known {
			return
		}
		of, proxies = of[i:i+1], proxies[i:i+1]
	}
	if len(r.names) == 2 {
		if group = r.names[1]; !of[0].has(group) {
			refuse(w, http.StatusNotFound, noGroup(group, of[0].of))
			return
		}
	}
	readings, err := s.readings(r, of)
	if err != nil {
		return // the client is gone
	}
	ranking := ranking{by: by, limit: limit}
	silent, answering := 0, 0
	for _, reading := range readings {
		if reading != nil {
			silent, answering = silent+len(reading.Silent), answering+reading.Workers
			ranking.add(reading, group)
		}
	}
	if answering == 0 && len(of) > 0 {
		refuse(w, http.StatusServiceUnavailable, problem{Error: "no HAProxy worker answers"})
		return
	}
	setFreshness(w.Header(), proxies, group)
	if silent > 0 {
		w.Header().Set("Haproxy-Zk-Silent-Workers", strconv.Itoa(silent))
	}
	shown := []topInstance{}
	for _, one := range ranking.first() {
		shown = append(shown, one.shown())
	}
	text := appendJSON([]byte(`{"by":`), by)
	text = fmt.Appendf(text, `,"of":%d,"instances":`, ranking.of)
	reply(w, http.StatusOK, typeJSON, append(appendJSON(text, shown), "}\n"...))
}

// topArguments returns what to sort by, and how many instances to list.
func (r request) topArguments() (by string, limit int, wrong *problem) {
	by, limit = r.arguments[topParameter], topDefault
	if !slices.Contains(TopOrders(), by) {
		return "", 0, r.route.wrong("%s=%s is no order: use one of %s", topParameter, echo(by), strings.Join(TopOrders(), ", "))
	}
	allowed := 1
	if text, given := r.arguments[limitParameter]; given {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > topLimit {
			return "", 0, r.route.wrong("%s=%s is not a number of 1 to %d", limitParameter, echo(text), topLimit)
		}
		allowed++
	}
	if len(r.arguments) > allowed {
		return "", 0, r.route.wrong("%s answers what is the case now: give it alone, or with %s", topParameter, limitParameter)
	}
	return by, limit, nil
}

// readings returns what the workers of each proxy report; nil of one that has not started.
func (s *Server) readings(r request, of []*document) ([]*stats.Reading, error) {
	all := make([]*stats.Reading, len(of))
	if s.statistics == nil {
		return all, nil
	}
	var reading sync.WaitGroup
	for i, d := range of {
		reading.Go(func() { all[i], _ = s.statistics(r.Context(), d.of.Proxy, "") })
	}
	reading.Wait()
	return all, r.Context().Err()
}

// ranked is an instance with what it is sorted by.
type ranked struct {
	proxy, group string
	window       float64
	of           *stats.Instance
	// keys are compared one after another, the largest first.
	keys [3]float64
}

// ranking finds the first instances by something among many.
type ranking struct {
	by    string
	limit int
	// of is the number of all, of which some that come first are kept.
	of   int
	kept []ranked
	// sorted is true once the first limit of kept are the first of all before them.
	sorted bool
}

// add adds the instances of a reading, or of one group of it.
func (k *ranking) add(r *stats.Reading, group string) {
	for g := range r.Groups {
		if group != "" && r.Groups[g].Name != group {
			continue
		}
		for i := range r.Groups[g].Instances {
			of := &r.Groups[g].Instances[i]
			if of.Gone {
				continue
			}
			k.of++
			errors, rate, now := of.Rates.Errors(of.HTTP, true), of.Rates.Sessions, float64(of.Sessions+of.Queued)
			one := ranked{proxy: r.Proxy, group: r.Groups[g].Name, window: r.Window.Seconds(), of: of}
			switch k.by {
			case topErrors:
				one.keys = [...]float64{errors, float64(errorsOf(of)), rate}
			case topSessions:
				one.keys = [...]float64{now, rate, errors}
			default:
				one.keys = [...]float64{rate, float64(of.Counters[haproxy.TotalSessions]), now}
			}
			if k.sorted && one.compare(k.kept[k.limit-1]) >= 0 {
				continue
			}
			if k.kept = append(k.kept, one); len(k.kept) == 2*k.limit {
				k.kept, k.sorted = k.first(), true
			}
		}
	}
}

// first returns the first of all, at most limit, in their order.
func (k *ranking) first() []ranked {
	slices.SortFunc(k.kept, ranked.compare)
	return k.kept[:min(k.limit, len(k.kept))]
}

// errorsOf returns the errors of an instance, as [stats.Rates.Errors] counts them.
func errorsOf(i *stats.Instance) uint64 {
	failures := i.Counters[haproxy.ConnectionErrors] + i.Counters[haproxy.ResponseErrors]
	if i.HTTP {
		failures += i.Counters[haproxy.Responses5xx]
	}
	return failures
}

func (a ranked) compare(b ranked) int {
	for i := range a.keys {
		if c := cmp.Compare(b.keys[i], a.keys[i]); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(a.proxy, b.proxy), cmp.Compare(a.group, b.group), a.of.Addr.Compare(b.of.Addr))
}

func (a ranked) shown() topInstance {
	i := a.of
	var state instanceDetail
	state.take(i.Servers, len(i.Servers))
	one := topInstance{
		Proxy: a.proxy, Group: a.group, Address: i.Addr.String(), State: cmp.Or(state.State, stateWaiting),
		Sessions: i.Sessions, Queue: i.Queued, SessionsTotal: i.Counters[haproxy.TotalSessions], ErrorsTotal: errorsOf(i),
	}
	if i.HTTP {
		seconds := i.ResponseTime.Seconds()
		one.ResponseTime = &seconds
	}
	if a.window > 0 {
		r := i.Rates
		one.Rates = &topRates{a.window, r.Sessions, r.Errors(i.HTTP, true), r.Responses5xx, r.Share5xx(), r.BytesIn, r.BytesOut}
	}
	return one
}

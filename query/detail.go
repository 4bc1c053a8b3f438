package query

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
)

// The states of an instance, the worst last.
const (
	stateUp       = "up"
	stateStarting = "starting" // in its slow start, or waiting for its first health check
	stateDrain    = "drain"
	stateDown     = "down"
	stateMaint    = "maint"
	stateHeld     = "held"    // deregistered, kept in service by the loss guard
	stateWaiting  = "waiting" // no worker has a server with it
)

// What an instance's state is due to.
const (
	byRegistry    = "registry"
	byHealthCheck = "health check"
	byOperator    = "operator"
	byAgent       = "agent check or operator"
	byGuard       = "guard"
)

// instanceDetail is an instance as the workers report it. Counts are sums over them.
type instanceDetail struct {
	Address  string         `json:"address"`
	State    string         `json:"state"`
	SetBy    string         `json:"set_by"`
	Reason   string         `json:"reason"`
	Since    *time.Time     `json:"since"` // nil while no worker has it
	Weight   uint64         `json:"weight"`
	Sessions uint64         `json:"sessions"`
	Queue    uint64         `json:"queue"`
	Differs  bool           `json:"differs"` // not all workers report the same state
	Workers  []workerDetail `json:"workers"`
}

// workerDetail is the server of an instance in one worker.
type workerDetail struct {
	PID       int          `json:"pid"`
	Server    string       `json:"server"`
	State     string       `json:"state"`
	Since     time.Time    `json:"since"`
	Weight    uint64       `json:"weight"`
	Sessions  uint64       `json:"sessions"`
	Queue     uint64       `json:"queue"`
	LastCheck *checkDetail `json:"last_check,omitempty"`
}

// checkDetail is the last health check of a server.
type checkDetail struct {
	Status   string  `json:"status"`
	Code     uint64  `json:"code,omitempty"`
	Duration float64 `json:"duration_seconds"`
	Text     string  `json:"text,omitempty"`
}

// details renders answers. It keeps that about a whole proxy until the next reading.
type details struct {
	mu   sync.Mutex // held while an answer is rendered
	kept map[string]keptDetail
}

type keptDetail struct {
	of      *registry.Snapshot
	reading *stats.Reading
	text    []byte
}

// of returns the answer about a proxy, or about one group of it.
func (d *details) of(s *registry.Snapshot, r *stats.Reading, only string) []byte {
	if only != "" {
		return detail(s, r, only)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.kept[s.Proxy]
	if kept.of != s || kept.reading != r {
		kept = keptDetail{s, r, detail(s, r, "")}
		d.kept = map[string]keptDetail{s.Proxy: kept} // that of another one is old by then
	}
	return kept.text
}

func detail(s *registry.Snapshot, r *stats.Reading, only string) []byte {
	remarks := make(map[string]map[netip.AddrPort]registry.Remark)
	for _, remark := range s.Remarks {
		if remarks[remark.Group] == nil {
			remarks[remark.Group] = make(map[netip.AddrPort]registry.Remark)
		}
		remarks[remark.Group][remark.Instance.Addr] = remark
	}
	return render(s, r, only, func(text []byte, p pair) []byte {
		text = append(appendString(text, p.of.Name), `:{"instances":`...)
		return append(appendJSON(text, p.details(remarks[p.of.Name], r.Workers)), '}')
	})
}

// details returns the instances of a group that are meant to serve or that a worker has,
// sorted by address.
func (p pair) details(remarks map[netip.AddrPort]registry.Remark, workers int) []instanceDetail {
	meant := make(map[netip.AddrPort]bool, len(p.of.Instances))
	reported := make(map[netip.AddrPort]stats.Instance, len(p.of.Instances))
	var addrs []netip.AddrPort
	for _, i := range p.of.Instances {
		meant[i.Addr] = true
		addrs = append(addrs, i.Addr)
	}
	for _, i := range p.has.Instances {
		if i.Gone {
			continue
		}
		reported[i.Addr] = i
		if !meant[i.Addr] {
			addrs = append(addrs, i.Addr)
		}
	}
	for addr := range remarks { // a flapping instance is not meant to serve yet
		if _, found := reported[addr]; !found && !meant[addr] {
			addrs = append(addrs, addr)
		}
	}
	slices.SortFunc(addrs, netip.AddrPort.Compare)
	all := make([]instanceDetail, 0, len(addrs))
	for _, addr := range addrs {
		i := reported[addr]
		one := instanceDetail{Address: addr.String(), State: stateWaiting, Weight: i.Weight, Sessions: i.Sessions, Queue: i.Queued, Workers: []workerDetail{}}
		one.take(i.Servers, workers)
		one.explain(meant[addr], remarks[addr])
		all = append(all, one)
	}
	return all
}

// take sets what the servers of an instance say.
func (d *instanceDetail) take(servers []stats.Server, workers int) {
	for _, s := range servers {
		w := workerDetail{PID: s.PID, Server: s.Name, State: stateOf(s), Since: s.Since.UTC().Truncate(time.Second), Weight: s.Weight, Sessions: s.Sessions, Queue: s.Queued}
		if c := s.Check; c.Status != "" {
			w.LastCheck = &checkDetail{c.Status, c.Code, c.Duration.Seconds(), c.Text}
		}
		first := len(d.Workers) == 0
		d.Differs = d.Differs || !first && w.State != d.State
		if first || badness(w.State) > badness(d.State) {
			d.State, d.Since = w.State, &w.Since
		}
		d.Workers = append(d.Workers, w)
	}
	d.Differs = d.Differs || len(servers) > 0 && len(servers) < workers
}

// stateOf returns the state of a server.
func stateOf(s stats.Server) string {
	switch s.Status {
	case haproxy.StatusUp:
		if s.Starting {
			return stateStarting
		}
		return stateUp
	case haproxy.StatusDrain:
		return stateDrain
	case haproxy.StatusMaint:
		return stateMaint
	}
	if s.Check.Status == "" || s.Check.Status == "INI" {
		return stateStarting
	}
	return stateDown
}

// badness orders the states that a worker reports.
func badness(state string) int {
	return slices.Index([]string{stateUp, stateStarting, stateDrain, stateDown, stateMaint}, state)
}

// explain sets what the state is due to.
func (d *instanceDetail) explain(meant bool, remark registry.Remark) {
	switch {
	case remark.Kind == registry.Held:
		d.State, d.SetBy, d.Reason = stateHeld, byGuard, "deregistered, held by the loss guard"
	case remark.Kind == registry.Damped:
		d.SetBy, d.Reason = byGuard, "flapping, its return is delayed"
	case !meant:
		d.SetBy, d.Reason = byRegistry, "deregistered"
	case remark.Kind == registry.Operator:
		d.SetBy, d.Reason = byOperator, remark.Text
	case remark.Kind == registry.Agent:
		d.SetBy, d.Reason = byAgent, remark.Text
	case d.State == stateDown:
		d.SetBy, d.Reason = byHealthCheck, d.failure()
	case d.State == stateWaiting:
		d.SetBy, d.Reason = byRegistry, "registered, no worker has it yet"
	default:
		d.SetBy, d.Reason = byRegistry, "registered"
	}
}

// failure describes the failed health check.
func (d *instanceDetail) failure() string {
	for _, w := range d.Workers {
		if c := w.LastCheck; c != nil && w.State == stateDown {
			return strings.TrimSpace(c.Status + " " + c.Text)
		}
	}
	return "the health check failed"
}

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

// groupDetail is a group: its instances, the first of its children that are not used and the
// number of the others, how its instances get servers, and why that is not as configured if
// it is not.
type groupDetail struct {
	Instances     []instanceDetail `json:"instances"`
	Skipped       []skippedDetail  `json:"skipped,omitempty"`
	SkippedMore   int              `json:"skipped_more,omitempty"`
	CarriedBy     string           `json:"carried_by,omitempty"`
	CarriedReason string           `json:"carried_reason,omitempty"`
}

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

// skippedDetail is a child of a group that is not used, as an instance or at all.
type skippedDetail struct {
	Name    string               `json:"name"`
	Kind    registry.FindingKind `json:"kind"`
	Problem string               `json:"problem"`
	Remedy  string               `json:"remedy"`
}

// of returns the answer about a proxy, or about one group of it. registrations has what
// its sources found.
func (d *details) of(s *registry.Snapshot, r *stats.Reading, only string, registrations func() []registry.Registrations) []byte {
	if only != "" {
		return detail(s, r, only, registrations())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.kept[s.Proxy]
	if kept.of != s || kept.reading != r {
		kept = keptDetail{s, r, detail(s, r, "", registrations())}
		d.kept = map[string]keptDetail{s.Proxy: kept} // that of another one is old by then
	}
	return kept.text
}

// remarksOf returns the remarks of each group, by address.
func remarksOf(s *registry.Snapshot) map[string]map[netip.AddrPort]registry.Remark {
	remarks := make(map[string]map[netip.AddrPort]registry.Remark)
	for _, remark := range s.Remarks {
		if remarks[remark.Group] == nil {
			remarks[remark.Group] = make(map[netip.AddrPort]registry.Remark)
		}
		remarks[remark.Group][remark.Instance.Addr] = remark
	}
	return remarks
}

// carriedOf returns how each group gets its servers.
func carriedOf(s *registry.Snapshot) map[string]registry.Carried {
	carried := make(map[string]registry.Carried, len(s.Carried))
	for i, c := range s.Carried {
		carried[s.Groups[i].Name] = c
	}
	return carried
}

// skipped are the children of a group that are not used.
type skipped struct {
	first []skippedDetail
	more  int
}

// skippedOf returns those of each group.
func skippedOf(registrations []registry.Registrations) map[string]skipped {
	all := make(map[string]skipped)
	for _, found := range registrations {
		of := skipped{more: found.Unnamed}
		for _, child := range found.Skipped {
			of.first = append(of.first, skippedDetail(child))
		}
		all[found.Group] = of
	}
	return all
}

func detail(s *registry.Snapshot, r *stats.Reading, only string, registrations []registry.Registrations) []byte {
	remarks, carried, unused := remarksOf(s), carriedOf(s), skippedOf(registrations)
	return render(s, r, only, func(text []byte, p pair) []byte {
		text = append(appendString(text, p.of.Name), ':')
		children, by := unused[p.of.Name], carried[p.of.Name]
		return appendJSON(text, groupDetail{
			Instances: p.details(remarks[p.of.Name], r.Workers, slices.Contains(s.Full, p.of.Name)),
			Skipped:   children.first, SkippedMore: children.more,
			CarriedBy: by.By, CarriedReason: by.Reason,
		})
	})
}

// details returns the instances of a group that are meant to serve or that a worker has,
// sorted by address. full is true if some wait for a server.
func (p pair) details(remarks map[netip.AddrPort]registry.Remark, workers int, full bool) []instanceDetail {
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
		one.explain(meant[addr], remarks[addr], origin(p.of.Parts, addr), full)
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
		d.Workers = append(d.Workers, w)
	}
	if len(servers) == 0 {
		return
	}
	var since int
	d.State, since, d.Differs = worst(servers, workers)
	d.Since = &d.Workers[since].Since
}

// worst returns the worst state of the servers of an instance, of which there is at least
// one, the index of the server that has it, and whether not all workers report the same.
func worst(servers []stats.Server, workers int) (state string, which int, differs bool) {
	state = stateOf(servers[0])
	for i, s := range servers[1:] {
		other := stateOf(s)
		differs = differs || other != state
		if badness(other) > badness(state) {
			state, which = other, i+1
		}
	}
	return state, which, differs || len(servers) < workers
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
	order := [...]string{stateUp, stateStarting, stateDrain, stateDown, stateMaint}
	return slices.Index(order[:], state)
}

// explain sets what the state is due to.
func (d *instanceDetail) explain(meant bool, remark registry.Remark, origin string, full bool) {
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
	case d.State == stateWaiting && full:
		d.SetBy, d.Reason = byRegistry, "registered, no server is left for it: the limit of servers is reached"
	case d.State == stateWaiting:
		d.SetBy, d.Reason = byRegistry, origin+", no worker has it yet"
	default:
		d.SetBy, d.Reason = byRegistry, origin
	}
}

// origin returns where an instance is registered.
func origin(parts []registry.Part, addr netip.AddrPort) string {
	var places []string
	for _, part := range parts {
		_, found := slices.BinarySearchFunc(part.Instances, addr, func(i registry.Instance, addr netip.AddrPort) int { return i.Addr.Compare(addr) })
		switch {
		case !found:
		case part.Source == registry.Directory:
			places = append(places, "in the directory")
		case part.Source == registry.Written:
			places = append(places, "written in the configuration")
		default:
			places = append(places, "registered in ZooKeeper")
		}
	}
	if len(places) == 0 {
		return "registered"
	}
	return strings.Join(places, ", ")
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

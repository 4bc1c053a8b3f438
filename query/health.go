package query

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// condition is one proxy in the body of /readyz.
type condition struct {
	Ready     bool   `json:"ready"`
	ZooKeeper string `json:"zookeeper,omitempty"`
	// Server is that of ZooKeeper, RoundTrip how long its latest answer took, in seconds.
	Server    string   `json:"zookeeper_server,omitempty"`
	RoundTrip float64  `json:"zookeeper_round_trip_seconds,omitempty"`
	Directory string   `json:"directory,omitempty"`
	Waiting   []string `json:"waiting,omitempty"`
	Recalled  []string `json:"recalled,omitempty"`
	// Down are the groups with registered instances of which none is up.
	Down []string `json:"down,omitempty"`
	// Full are the groups with instances that wait because a limit of servers is reached.
	Full []string `json:"full,omitempty"`
	// CarriedBy counts the groups by how they get servers of HAProxy: slots, servers or
	// backends.
	CarriedBy map[string]int `json:"carried_by,omitempty"`
	Problem   string         `json:"problem,omitempty"`
	// Generations are HAProxy's living generations, the serving one first.
	Generations []generation `json:"generations,omitempty"`
	// Registrations are the findings in the sources besides usable instances, for the first
	// groups; OtherRegistrations is the number of further groups with findings.
	Registrations      map[string]registrations `json:"registrations,omitempty"`
	OtherRegistrations int                      `json:"other_registrations,omitempty"`
	// Formats counts the registrations that were read by each format but `ip:port`, for the
	// first groups.
	Formats map[string]map[string]int `json:"formats,omitempty"`
	// Instances whose service differs from what ZooKeeper alone would give, by group.
	Held     map[string][]string          `json:"held,omitempty"`
	Damped   map[string][]string          `json:"damped,omitempty"`
	Operator map[string]map[string]string `json:"operator,omitempty"`
	// Agent has instances changed by an agent check, or by an operator.
	Agent map[string]map[string]string `json:"agent,omitempty"`
}

// maxRegistrations bounds the groups listed with findings: everybody with write access to
// ZooKeeper can add some.
const maxRegistrations = 100

// registrations is a [registry.Registrations].
type registrations struct {
	// Usable 0 means that none of the group's children can be used.
	Usable int       `json:"usable"`
	Found  []finding `json:"found"`
}

// finding is a [registry.Finding].
type finding struct {
	Kind    registry.FindingKind `json:"kind"`
	Count   int                  `json:"count,omitempty"`
	Example string               `json:"example,omitempty"`
	Problem string               `json:"problem"`
	Remedy  string               `json:"remedy"`
}

// register adds findings and formats.
func (c *condition) register(all []registry.Registrations) {
	for _, r := range all {
		if len(r.Formats) == 0 || len(c.Formats) == maxRegistrations {
			continue
		}
		if c.Formats == nil {
			c.Formats = make(map[string]map[string]int)
		}
		c.Formats[r.Group] = r.Formats
	}
	all = slices.DeleteFunc(slices.Clone(all), func(r registry.Registrations) bool { return len(r.Findings) == 0 })
	for i, r := range all {
		if i == maxRegistrations {
			c.OtherRegistrations = len(all) - i
			return
		}
		reported := registrations{Usable: r.Usable}
		for _, f := range r.Findings {
			reported.Found = append(reported.Found, finding(f))
		}
		if c.Registrations == nil {
			c.Registrations = make(map[string]registrations)
		}
		c.Registrations[r.Group] = reported
	}
}

// remark adds a remark about one instance.
func (c *condition) remark(r registry.Remark) {
	add := func(to *map[string][]string) {
		if *to == nil {
			*to = make(map[string][]string)
		}
		(*to)[r.Group] = append((*to)[r.Group], r.Instance.String())
	}
	switch r.Kind {
	case registry.Held:
		add(&c.Held)
	case registry.Damped:
		add(&c.Damped)
	case registry.Operator:
		addText(&c.Operator, r)
	case registry.Agent:
		addText(&c.Agent, r)
	}
}

func addText(in *map[string]map[string]string, r registry.Remark) {
	if *in == nil {
		*in = make(map[string]map[string]string)
	}
	if (*in)[r.Group] == nil {
		(*in)[r.Group] = make(map[string]string)
	}
	(*in)[r.Group][r.Instance.String()] = r.Text
}

// generation is a [supervisor.Generation].
type generation struct {
	PIDs     []int     `json:"pids"`
	Draining bool      `json:"draining,omitempty"`
	Since    time.Time `json:"since"`
}

// rejected is the configuration in the body of /readyz while the latest one is not in
// effect.
type rejected struct {
	Error string    `json:"error"`
	Since time.Time `json:"since"`
}

// answerReady answers whether requests should be sent here. It reports that a source is
// unreachable, that a reload of HAProxy or the configuration failed, or that a group has
// no instance up, but stays ready: otherwise every load balancer would be taken out of
// service at once.
func (s *Server) answerReady(w http.ResponseWriter, _ request) {
	proxies := s.documents.proxies()
	stopping := s.stopping.Load()
	ready := len(proxies) > 0 && !stopping
	var members []byte
	for i, p := range proxies {
		name, c := examine(p)
		ready = ready && c.Ready
		if i > 0 {
			members = append(members, ',')
		}
		members = appendString(members, name)
		members = append(members, ':')
		members = appendJSON(members, c)
	}

	body := appendJSON([]byte(`{"ready":`), ready)
	if s.place.Node != "" {
		body = appendString(append(body, `,"node":`...), s.place.Node)
	}
	if s.place.Zone != "" {
		body = appendString(append(body, `,"zone":`...), s.place.Zone)
	}
	if s.configuration != nil {
		if problem, since := s.configuration(); problem != "" {
			body = append(body, `,"configuration":`...)
			body = appendJSON(body, rejected{problem, since.UTC().Truncate(time.Millisecond)})
		}
	}
	body = append(body, `,"proxies":{`...)
	body = append(body, members...)
	body = append(body, '}')
	if stopping {
		body = append(body, `,"stopping":true`...)
	}
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	reply(w, status, typeJSON, append(body, "}\n"...))
}

func examine(p Proxy) (name string, c condition) {
	snapshot := p.Snapshot()
	c = condition{Waiting: snapshot.Waiting, Down: snapshot.Down, Full: snapshot.Full, Problem: snapshot.ReloadError}
	c.CarriedBy = countCarried(snapshot)
	contact := p.ConnectionStatus()
	c.Recalled = contact.Recalled
	c.Server, c.RoundTrip = contact.Server, contact.RoundTrip.Round(time.Microsecond).Seconds()
	c.register(p.Registrations())
	for _, source := range contact.All() {
		switch source.Kind() {
		case registry.ZooKeeper:
			c.ZooKeeper = conditionOf(source, "connected")
		case registry.Directory:
			c.Directory = conditionOf(source, "readable")
		}
	}
	err := p.Ready()
	if err != nil {
		c.Problem = err.Error()
	}
	for _, g := range p.Generations() {
		c.Generations = append(c.Generations, generation{g.PIDs, g.Draining, g.Since.UTC().Truncate(time.Millisecond)})
	}
	for _, r := range snapshot.Remarks {
		c.remark(r)
	}
	c.Ready = isReady(snapshot, err)
	return snapshot.Proxy, c
}

// countCarried counts the groups by how they get servers of HAProxy.
func countCarried(s *registry.Snapshot) map[string]int {
	counts := make(map[string]int)
	for _, by := range s.Carried {
		counts[by.By]++
	}
	return counts
}

// conditionOf returns the state of a source in a sentence, which is well if it is well.
func conditionOf(source registry.ConnectionStatus, well string) string {
	switch {
	case !source.Connected:
		return cmp.Or(source.Problem, "not "+well)
	case source.Denied != "":
		return well + ", but " + source.Denied
	}
	return well
}

// IsReady reports whether /readyz reports a proxy as ready: its workers answer, and every
// group was read once.
func IsReady(p Proxy) bool { return isReady(p.Snapshot(), p.Ready()) }

func isReady(s *registry.Snapshot, problem error) bool { return problem == nil && len(s.Waiting) == 0 }

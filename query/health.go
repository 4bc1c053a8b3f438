package query

import (
	"cmp"
	"net/http"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// condition is one proxy in the body of /readyz.
type condition struct {
	Ready     bool     `json:"ready"`
	ZooKeeper string   `json:"zookeeper"`
	Waiting   []string `json:"waiting,omitempty"`
	Recalled  []string `json:"recalled,omitempty"`
	Problem   string   `json:"problem,omitempty"`
	// Generations are HAProxy's that live, the serving one first.
	Generations []generation `json:"generations,omitempty"`
	// What of the instances is not as ZooKeeper alone would have it, by group.
	Held     map[string][]string          `json:"held,omitempty"`
	Damped   map[string][]string          `json:"damped,omitempty"`
	Operator map[string]map[string]string `json:"operator,omitempty"`
}

// remark adds what is said of one instance.
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
		if c.Operator == nil {
			c.Operator = make(map[string]map[string]string)
		}
		if c.Operator[r.Group] == nil {
			c.Operator[r.Group] = make(map[string]string)
		}
		c.Operator[r.Group][r.Instance.String()] = r.Text
	}
}

// generation is a [supervisor.Generation].
type generation struct {
	PIDs     []int     `json:"pids"`
	Draining bool      `json:"draining,omitempty"`
	Since    time.Time `json:"since"`
}

// answerReady says whether requests should be sent here. ZooKeeper being away is
// told and changes nothing, as is a reload that failed: each would take every load
// balancer out of service.
func (s *Server) answerReady(w http.ResponseWriter) {
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
	c = condition{ZooKeeper: "connected", Waiting: snapshot.Waiting, Problem: snapshot.ReloadError}
	contact := p.Contact()
	c.Recalled = contact.Recalled
	switch {
	case !contact.Connected:
		c.ZooKeeper = cmp.Or(contact.Problem, "not connected")
	case contact.Denied != "":
		c.ZooKeeper = "connected, but " + contact.Denied
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
	c.Ready = err == nil && len(c.Waiting) == 0
	return snapshot.Proxy, c
}

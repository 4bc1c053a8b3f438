package query

import (
	"cmp"
	"net/http"
)

// condition is one proxy in the body of /readyz.
type condition struct {
	Ready     bool     `json:"ready"`
	ZooKeeper string   `json:"zookeeper"`
	Waiting   []string `json:"waiting,omitempty"`
	Recalled  []string `json:"recalled,omitempty"`
	Problem   string   `json:"problem,omitempty"`
}

// answerReady says whether requests should be sent here. ZooKeeper being away is
// told and changes nothing: it would take every load balancer out of service.
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
	c = condition{ZooKeeper: "connected", Waiting: snapshot.Waiting}
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
	c.Ready = err == nil && len(c.Waiting) == 0
	return snapshot.Proxy, c
}

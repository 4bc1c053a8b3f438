package plan

import (
	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func serverClose(g config.Group, v haproxy.Version) bool {
	if g.ServerClose != nil {
		return *g.ServerClose
	}
	return g.Mode == "http" && v.PinsConnections()
}

// NewBackend returns the backend of a configured or discovered group for a version of
// HAProxy. Its error is about the server-template.
func NewBackend(g config.Group, v haproxy.Version) (haproxy.Backend, error) {
	servers, err := haproxy.ParseServerTemplate(g.ServerTemplate, g.Name, g.MaxServer)
	acls := g.ACLs
	if g.Route != "" {
		acls = g.Route.Conditions(g.Name)
	}
	return haproxy.Backend{
		Name:         g.Name,
		ACLs:         acls,
		Route:        g.Route,
		Mode:         g.Mode,
		Balance:      g.Balance,
		HTTPCheck:    g.HTTPCheck,
		Lines:        g.Lines,
		Default:      g.DefaultBackend,
		ServerClose:  serverClose(g, v),
		WaitCheck:    g.WaitCheck,
		LossGuard:    g.LossGuard,
		DrainTimeout: g.DrainTimeout,
		ListenerPort: g.ListenerPort,
		Servers:      servers,
	}, err
}

// CheckLine returns the error of one of a group's own lines; nil if it is valid.
func CheckLine(g config.Group, line string) error {
	b, err := NewBackend(g, haproxy.Version{})
	if err != nil {
		return nil // reported separately
	}
	return haproxy.CheckLine(b, line)
}

package plan

import (
	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// NewBackend returns the backend of a configured or discovered group. Its error is about
// the server-template.
func NewBackend(g config.Group) (haproxy.Backend, error) {
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
		ServerClose:  g.ServerClose,
		WaitCheck:    g.WaitCheck,
		LossGuard:    g.LossGuard,
		DrainTimeout: g.DrainTimeout,
		ListenerPort: g.ListenerPort,
		Servers:      servers,

		LatencyHistogram: g.LatencyHistogram,
	}, err
}

// groupLines returns the own lines of all groups.
func (pl *Plan) groupLines() (lines []string) {
	for _, g := range pl.Groups {
		lines = append(lines, g.Lines...)
	}
	if pl.Discover != nil {
		lines = append(lines, pl.Discover.Entry.Lines...)
	}
	return lines
}

// CheckLine returns the error of one of a group's own lines; nil if it is valid.
func CheckLine(g config.Group, line string) error {
	b, err := NewBackend(g)
	if err != nil {
		return nil // reported separately
	}
	return haproxy.CheckLine(b, line)
}

package plan

import (
	"slices"
	"strconv"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// NewBackend returns the backend of a configured or discovered group. Its error is about
// the server-template.
func NewBackend(g config.Group) (haproxy.Backend, error) {
	servers, err := haproxy.ParseServerTemplate(g.ServerTemplate, g.Name, g.MaxServer)
	if g.Decoding.Format.Weighs(g.Decoding.Regex) && !slices.Contains(servers.Params, "weight") {
		servers.Params = append(servers.Params, "weight", strconv.Itoa(haproxy.FullWeight))
	}
	if g.TLS != nil {
		servers.Params = append(servers.Params, tlsParams(*g.TLS)...)
	}
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
		Carry:        g.Carry,
		Servers:      servers,

		LatencyHistogram: g.LatencyHistogram,
	}, err
}

// tlsParams returns the words of a server line for TLS.
func tlsParams(t config.ServerTLS) []string {
	words := []string{"ssl", "verify", "none"}
	if t.CA != "" {
		words = []string{"ssl", "verify", "required", "ca-file", t.CA}
	}
	if t.Cert != "" {
		words = append(words, "crt", t.Cert)
	}
	if t.ServerName != "" {
		words = append(words, "sni", "str("+t.ServerName+")", "check-sni", t.ServerName)
		if t.CA != "" {
			words = append(words, "verifyhost", t.ServerName)
		}
	}
	return words
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

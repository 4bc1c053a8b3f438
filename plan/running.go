package plan

import (
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// RenderLike returns the configuration that HAProxy would start with if the groups below,
// which were discovered, and the instances were those of a running configuration: it
// differs from that only where the plan does. Discovered names that are no longer groups
// are left out.
func (pl *Plan) RenderLike(running string, groups []string) []byte {
	backends := slices.Clone(pl.Backends)
	for _, name := range backendOrder(running, groups) {
		if pl.Discover == nil || slices.ContainsFunc(pl.Groups, func(g config.Group) bool { return g.Name == name }) {
			continue
		}
		if b, err := pl.discovered(name); err == nil && pl.Parsed.Validate(pl.Frame, []haproxy.Backend{b}) == nil {
			backends = append(backends, b)
		}
	}
	rows := make([][]haproxy.Row, len(backends))
	for i, b := range backends {
		if way, _ := pl.Parsed.Carries(b, pl.Frame.Version); way.Dynamic() {
			rows[i] = haproxy.ParseNamedRows(running, b.Name)
			continue
		}
		rows[i] = b.Servers.ParseRows(running, b.Name)
	}
	return pl.Parsed.Render(pl.Frame, backends, rows)
}

// backendOrder returns the groups in the order of their backends in a configuration.
func backendOrder(configuration string, groups []string) (ordered []string) {
	for line := range strings.Lines(configuration) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "backend" && slices.Contains(groups, words[1]) {
			ordered = append(ordered, words[1])
		}
	}
	return ordered
}

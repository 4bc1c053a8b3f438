package plan

import (
	"fmt"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/config"
)

// ClosingReasons returns why groups get a server connection per request although their
// keys do not ask for it: each reason once, with its place and a remedy.
func (pl *Plan) ClosingReasons() []string {
	groups := pl.Groups
	if pl.Discover != nil {
		discovered := pl.Discover.Entry
		discovered.Name = "*"
		groups = append(slices.Clone(groups), discovered)
	}
	var reasons []string
	for _, g := range groups {
		b, _ := NewBackend(g) // the servers do not matter, and their errors are reported separately
		for _, trap := range pl.Parsed.RenewalTraps(pl.Frame, b) {
			reason := fmt.Sprintf("%s: %s; %s", pl.placeOf(g, trap.Line, trap.Key), trap.Text, trap.Remedy)
			if !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
		}
	}
	return reasons
}

// placeOf returns the line of the template, or the key of the group if line is 0.
func (pl *Plan) placeOf(g config.Group, line int, key string) string {
	if line > 0 {
		return fmt.Sprintf("%s:%d", pl.Template, line)
	}
	return pl.Name + ".groups." + g.Name + "." + key
}

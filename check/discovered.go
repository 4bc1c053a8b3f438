package check

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

const (
	// anyName is the name of a group that stands for all groups to be discovered;
	// findings show anyGroup instead.
	anyName  = "haproxy-zk.any-discovered-group"
	anyGroup = "${group}"
	// At most this many names that cannot be groups are reported individually.
	maxUnsafe = 10
)

// checkDiscovered checks what HAProxy says about the discovered groups: those with the
// given names, or one that stands for all. variables are the environment variables of a
// group's keys; nil if they are in a file.
func checkDiscovered(ctx context.Context, reaper *supervisor.Reaper, pl *plan.Plan, names []string, variables map[string]string) []finding {
	if pl.Discover == nil {
		return nil
	}
	at := &discoveredPlaces{proxy: pl.Name, variables: variables, names: make(map[string]bool), issued: make(map[string]bool)}
	if len(names) == 0 {
		names = []string{anyName}
	}
	with := subject{new(*pl), at}
	with.Groups, with.Backends = slices.Clone(pl.Groups), slices.Clone(pl.Backends)
	var found []finding
	unsafe := 0
	for _, name := range names {
		if slices.ContainsFunc(pl.Groups, func(g config.Group) bool { return g.Name == name }) {
			continue
		}
		g, err := pl.Discover.Group(name)
		var b haproxy.Backend
		if err == nil {
			b, err = plan.NewBackend(g)
			if b.Discovered = true; err != nil {
				return append(found, finding{Proxy: pl.Name, Severity: isError, Where: at.key("server-template"), Text: at.redact(err.Error())})
			}
			err = pl.Parsed.Validate(pl.Frame, []haproxy.Backend{b})
		}
		if err != nil {
			if unsafe++; unsafe <= maxUnsafe {
				found = append(found, finding{Proxy: pl.Name, Severity: isWarning, Where: at.key(""), Text: at.redact(err.Error()), Remedy: "it gets no requests; delete it if it is not a group"})
			}
			continue
		}
		with.Groups, with.Backends = append(with.Groups, g), append(with.Backends, b)
		at.names[name] = true
	}
	rendered := with.Render()
	if lost := unreached(with.Backends[len(pl.Backends):], rendered, with.Maps()); len(lost) > 0 && selects(pl.Discover.Entry) {
		found = append(found, finding{
			Proxy: pl.Name, Severity: isWarning, Where: at.key(""), Text: "unreachable: no rule selects discovered groups",
			Remedy: "put $acl and $use_backend into a frontend of the template",
		})
	}
	for _, f := range checkTemplate(ctx, reaper, with, rendered) {
		if !at.issued[f.Where] {
			continue // already found without these groups
		}
		f.Text, f.Remedy = at.redact(f.Text), at.redact(f.Remedy)
		if !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	return found
}

// selects reports whether a group has settings that select it.
func selects(g config.Group) bool { return g.Route != "" || len(g.ACLs) > 0 }

// discoveredPlaces maps the lines of discovered groups to the keys that they are made
// from.
type discoveredPlaces struct {
	proxy     string
	variables map[string]string
	names     map[string]bool
	issued    map[string]bool // places already reported
}

// key returns the place of a key of the discovered groups; an empty name means all
// keys.
func (p *discoveredPlaces) key(name string) string {
	place := p.proxy + `.groups."*"`
	switch {
	case p.variables != nil:
		of, _, _ := strings.Cut(name, "[") // an entry of a list
		place = cmp.Or(p.variables[of], p.variables[of+"_file"], p.variables["zk.path"])
	case name != "":
		place += "." + name
	}
	p.issued[place] = true
	return place
}

// line returns the place of the key that a line of the configuration is made from.
func (p *discoveredPlaces) line(text string) string {
	words := append(strings.Fields(text), "", "")
	switch words[0] {
	case "balance", "mode":
		return p.key(words[0])
	case "acl", "use_backend":
		return p.key("acls")
	case "server", "server-template", "default-server":
		return p.key("server-template")
	case "http-reuse":
		return p.key("server_close")
	case "option", "http-check":
		if words[1] == "http-server-close" {
			return p.key("server_close")
		}
		return p.key("httpchk")
	}
	return p.key("")
}

// redact replaces the name that stands for all groups.
func (p *discoveredPlaces) redact(text string) string {
	return strings.ReplaceAll(text, anyName, anyGroup)
}

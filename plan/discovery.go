package plan

import (
	"slices"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

// routes returns the routes of groups that may be added at run time.
func (pl *Plan) routes() (routes []haproxy.Route) {
	if pl.Discover != nil && pl.Discover.Entry.Route != "" {
		routes = append(routes, pl.Discover.Entry.Route)
	}
	for _, b := range pl.Backends {
		if b.Route == "" || slices.Contains(routes, b.Route) {
			continue
		}
		if way, _ := pl.Parsed.Carries(b, pl.Frame.Version); way == haproxy.CarryBackends {
			routes = append(routes, b.Route)
		}
	}
	return routes
}

// discover returns the function that makes the backend of a discovered group; nil if
// discovery is disabled.
func (pl *Plan) discover() func(name string) (haproxy.Backend, error) {
	if pl.Discover == nil {
		return nil
	}
	return pl.discovered
}

// discovered returns the backend of a discovered group.
func (pl *Plan) discovered(name string) (haproxy.Backend, error) {
	g, err := pl.Discover.Group(name)
	if err != nil {
		return haproxy.Backend{}, err
	}
	b, err := NewBackend(g)
	b.Discovered = true
	return b, err
}

// anyDiscovered returns the backend that stands for all discovered groups; nil if discovery
// is disabled, or HAProxy's configuration cannot have it.
func (pl *Plan) anyDiscovered() *haproxy.Backend {
	if pl.Discover == nil {
		return nil
	}
	b, err := pl.discovered(haproxy.AnyGroup)
	if err != nil {
		return nil
	}
	return &b
}

// decoder returns what decodes the registrations of a group. Those of mode tcp take any
// protocol.
func decoder(g config.Group) decode.Decoder {
	o := g.Decoding
	o.AnyProtocol = g.Mode == "tcp"
	return decode.New(o)
}

// SyncedGroups returns what the syncer follows for the configured groups.
func (pl *Plan) SyncedGroups() (groups []syncer.Group) {
	for _, g := range pl.Groups {
		groups = append(groups, syncer.Group{Name: g.Name, Path: g.Path, Decoder: decoder(g)})
	}
	return groups
}

// Discovery returns where the syncer discovers groups; nil if discovery is disabled.
func (pl *Plan) Discovery() *syncer.Discovery {
	if pl.Discover == nil {
		return nil
	}
	return &syncer.Discovery{Parent: pl.Discover.Parent, Decoder: decoder(pl.Discover.Entry), Path: func(name string) string {
		g, err := pl.Discover.Group(name)
		if err != nil {
			return "" // the controller rejects it too, and logs why
		}
		return g.Path
	}}
}

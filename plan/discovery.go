package plan

import (
	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

// discoverable returns the routes of groups that may be discovered.
func discoverable(p config.Proxy) []haproxy.Route {
	if p.Discover == nil || p.Discover.Entry.Route == "" {
		return nil
	}
	return []haproxy.Route{p.Discover.Entry.Route}
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

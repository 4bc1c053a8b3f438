package plan

import (
	"github.com/haproxy-zk/haproxy-zk/config"
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
	return func(name string) (haproxy.Backend, error) {
		g, err := pl.Discover.Group(name)
		if err != nil {
			return haproxy.Backend{}, err
		}
		return NewBackend(g)
	}
}

// Discovery returns where the syncer discovers groups; nil if discovery is disabled.
func (pl *Plan) Discovery() *syncer.Discovery {
	if pl.Discover == nil {
		return nil
	}
	return &syncer.Discovery{Parent: pl.Discover.Parent, Path: func(name string) string {
		g, err := pl.Discover.Group(name)
		if err != nil {
			return "" // the controller rejects it too, and logs why
		}
		return g.Path
	}}
}

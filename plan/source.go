package plan

import (
	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/files"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// GroupNames returns the names of the configured groups, in their order.
func (pl *Plan) GroupNames() []string {
	var names []string
	for _, g := range pl.Groups {
		names = append(names, g.Name)
	}
	return names
}

// Written returns the instances that are written in groups, by group.
func (pl *Plan) Written() map[string][]registry.Instance {
	written := make(map[string][]registry.Instance)
	for _, g := range pl.Groups {
		if len(g.Instances) > 0 {
			written[g.Name] = g.Instances
		}
	}
	return written
}

// Directory returns the options of the directory that the plan follows, without sink,
// metrics, logger and report. admit returns why an instance may not serve.
func (pl *Plan) Directory(admit func(registry.Instance) error) files.Options {
	decoders := make(map[string]decode.Decoder)
	for _, g := range pl.Groups {
		decoders[g.Name] = decoder(g)
	}
	var discovered decode.Decoder
	if pl.Discover != nil {
		discovered = decoder(pl.Discover.Entry)
	}
	o := files.Options{
		Proxy:  pl.Name,
		Dir:    pl.Dir,
		Groups: pl.GroupNames(),
		Decoder: func(group string) decode.Decoder {
			if d, configured := decoders[group]; configured {
				return d
			}
			return discovered
		},
		Admit: admit,
	}
	if pl.Discover != nil {
		o.Discover = func(name string) bool {
			_, err := pl.Discover.Group(name)
			return err == nil
		}
	}
	return o
}

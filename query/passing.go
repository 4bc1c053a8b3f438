package query

import (
	"net/netip"

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
)

// passing returns the document of a proxy, or of one group of it, with the instances that
// are up in every worker that answered.
func passing(s *registry.Snapshot, r *stats.Reading, only string) []byte {
	return render(s, r, only, func(text []byte, p pair) []byte {
		return appendGroup(text, registry.Group{Name: p.of.Name, Instances: p.passing()})
	})
}

// passing returns the instances that are meant to serve and are up in every worker.
func (p pair) passing() (all []registry.Instance) {
	up := make(map[netip.AddrPort]bool, len(p.has.Instances))
	for _, i := range p.has.Instances {
		up[i.Addr] = i.Up && !i.Gone
	}
	for _, i := range p.of.Instances {
		if up[i.Addr] {
			all = append(all, i)
		}
	}
	return all
}

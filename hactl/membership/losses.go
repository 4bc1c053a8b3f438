package membership

import (
	"maps"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// losses has when an instance last left each source of a group. The loss guard judges a
// source by what that source still lists: the instances of another one, such as those
// written in the configuration, are no sign that all is well with it.
type losses map[registry.SourceKind]time.Time

// see records which sources list fewer instances now.
func (l *losses) see(before, now []registry.Part, at time.Time) {
	for _, b := range before {
		var rest []registry.Instance
		for _, n := range now {
			if n.Source == b.Source {
				rest = n.Instances
			}
		}
		registry.Changes(b.Instances, rest, func(registry.Instance) {
			if *l == nil {
				*l = make(losses)
			}
			(*l)[b.Source] = at
		}, func(registry.Instance) {})
	}
}

// remaining returns how many instances of a group the sources list that instances left
// just now; if none left any, or there is only one source, how many are registered.
func (l losses) remaining(g registry.Group, at time.Time) int {
	if len(l) == 0 || len(g.Parts) < 2 {
		return len(g.Instances)
	}
	known, losing := make(map[registry.Instance]bool), false
	for source, when := range l {
		if at.Sub(when) > lossMemory {
			continue
		}
		losing = true
		for _, p := range g.Parts {
			if p.Source != source {
				continue
			}
			for _, i := range p.Instances {
				known[i] = true
			}
		}
	}
	if !losing {
		return len(g.Instances)
	}
	return len(known)
}

func (l losses) clone() losses { return maps.Clone(l) }

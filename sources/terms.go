package sources

import (
	"maps"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// join returns the terms of the instances of two sources. Neither is changed.
func join(a, b map[registry.Instance]registry.Terms) map[registry.Instance]registry.Terms {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	joined := maps.Clone(a)
	for i, t := range b {
		joined[i] = stricter(joined[i], t)
	}
	return joined
}

// stricter returns the terms of an instance that two sources have: it drains if one of
// them says so, and has the smaller of two weights. Unlike two registrations in one
// source, which may be an old and a new process of the same address, two sources are two
// opinions, and whoever wants less traffic there has a reason. One that says nothing has
// no opinion.
func stricter(a, b registry.Terms) registry.Terms {
	joined := registry.Terms{Drain: a.Drain || b.Drain, Weight: min(a.Weight, b.Weight)}
	if a.Weight == 0 || b.Weight == 0 {
		joined.Weight = max(a.Weight, b.Weight)
	}
	return joined
}

package decode

import (
	"maps"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// List collects the registrations of one group. The zero value is empty.
type List struct {
	instances []registry.Instance
	terms     map[registry.Instance]registry.Terms
	formats   map[string]int
}

// Add adds a registration with an address.
func (l *List) Add(r Registration) {
	if l.terms == nil {
		l.terms = make(map[registry.Instance]registry.Terms)
	}
	if r.Format != IPPort {
		if l.formats == nil {
			l.formats = make(map[string]int)
		}
		l.formats[string(r.Format)]++
	}
	i := r.Instance()
	terms, twice := l.terms[i]
	if twice {
		terms = merge(terms, r.Terms)
	} else {
		terms = r.Terms
		l.instances = append(l.instances, i)
	}
	l.terms[i] = terms
}

// Group returns the instances added, sorted and unique, and their terms, as a list of a
// group. The list is its own; call it once.
func (l *List) Group(name string) registry.Group {
	g := registry.Group{Name: name, Instances: registry.Sort(append([]registry.Instance{}, l.instances...))}
	maps.DeleteFunc(l.terms, func(_ registry.Instance, t registry.Terms) bool { return t == registry.Terms{} })
	if len(l.terms) > 0 {
		g.Terms = l.terms
	}
	return g
}

// Formats counts the registrations by format, those of [IPPort] excepted; nil if there
// are no others.
func (l *List) Formats() map[string]int { return l.formats }

// merge returns the terms of an address that is registered twice: it serves as much as
// one of the two says, because the other may be of a process that is about to end.
func merge(a, b registry.Terms) registry.Terms {
	share := func(t registry.Terms) int16 {
		if t.Weight == 0 {
			return fullShare
		}
		return t.Weight
	}
	merged := registry.Terms{Drain: a.Drain && b.Drain, Weight: max(share(a), share(b))}
	if a.Drain != b.Drain { // only that of the one that serves counts
		if merged.Weight = a.Weight; a.Drain {
			merged.Weight = b.Weight
		}
	}
	if merged.Weight == fullShare {
		merged.Weight = 0
	}
	return merged
}

// fullShare is the weight in percent of an instance that registers none.
const fullShare = 100

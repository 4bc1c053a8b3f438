package slots

import (
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// SetTerms sets what the registrations say about how instances are served. version
// identifies terms, which is immutable; registers reports whether an instance is
// registered: others, which are held, keep their terms.
func (t *Table) SetTerms(terms map[registry.Instance]registry.Terms, version int, registers func(registry.Instance) bool) {
	if t.termsVersion == version {
		return
	}
	t.terms, t.termsVersion = terms, version
	for i := range t.Slots {
		if s := &t.Slots[i]; s.Used && registers(registry.Instance{Addr: s.Addr}) && t.agree(s) {
			t.change()
		}
	}
}

// agree applies the terms of a slot's instance, and reports whether that changed the slot.
func (t *Table) agree(s *Slot) (changed bool) {
	terms := t.terms[registry.Instance{Addr: s.Addr}]
	drain, share := terms.Drain, haproxy.Share(t.full, int(terms.Weight))
	changed = s.drain != drain || s.share != share
	s.drain, s.share = drain, share
	return changed
}

// Ours reports whether a weight is that of an instance whose registration had these terms.
func (t *Table) Ours(weight haproxy.Weight, terms registry.Terms) bool {
	return weight == haproxy.Share(t.full, int(terms.Weight))
}

// drained reports whether the slot's server drains because the registration says so.
func (s *Slot) drained() bool { return s.Used && s.drain && s.Operator == "" }

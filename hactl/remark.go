package hactl

import (
	"cmp"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// remarked is the state that remarks were computed from.
type remarked struct {
	guard int
	table uint64
	meant []registry.Instance
}

// remark returns the remarks on the group's instances; the caller must not modify them.
func (g *group) remark() []registry.Remark {
	of := remarked{guard: g.members.Version(), table: g.table.Version(), meant: g.members.Meant()}
	if before := g.remarked; before.guard != of.guard || before.table != of.table || !registry.SameList(before.meant, of.meant) || g.members.Damped() > 0 {
		g.remarked, g.remarks = of, g.allRemarks()
	}
	return g.remarks
}

func (g *group) allRemarks() (remarks []registry.Remark) {
	for _, i := range g.members.Held() {
		remarks = append(remarks, registry.Remark{Group: g.backend.Name, Instance: i, Kind: registry.Held})
	}
	if g.members.Damped() > 0 {
		for _, i := range g.members.Registered().Instances {
			if g.members.Damps(i) {
				remarks = append(remarks, registry.Remark{Group: g.backend.Name, Instance: i, Kind: registry.Damped})
			}
		}
	}
	if g.touched {
		meant := addresses(g.members.Meant())
		for _, s := range g.table.Slots {
			if text := s.Override(); text != "" && meant[s.Addr] {
				kind := registry.Operator
				if s.ByAgent {
					kind = registry.Agent
				}
				remarks = append(remarks, registry.Remark{Group: g.backend.Name, Instance: registry.Instance{Addr: s.Addr}, Kind: kind, Text: text})
			}
		}
	}
	slices.SortFunc(remarks, func(a, b registry.Remark) int {
		return cmp.Or(a.Instance.Addr.Compare(b.Instance.Addr), cmp.Compare(a.Kind, b.Kind))
	})
	return remarks
}

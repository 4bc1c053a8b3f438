package hactl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// shadow leaves out discovered groups whose names differ only in case from another
// group's, if their conditions ignore case: anyone allowed to create a name could
// otherwise take over or drop all requests of the other group. A configured group takes
// precedence, then the group that HAProxy has, then the one discovered first. It
// reports whether a group was readmitted that only a reload adds.
func (d *desired) shadow() (letIn bool) {
	order := slices.Clone(d.groups)
	slices.SortStableFunc(order, func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.precedence(), b.precedence()), cmp.Compare(a.born, b.born))
	})
	kept := make(map[string][]*group)
	for _, g := range order {
		if g.retired {
			continue
		}
		name := strings.ToLower(g.backend.Name)
		rival := g.shadowedBy(kept[name])
		if rival != nil {
			d.refuse(g.backend.Name, fmt.Errorf("the name differs only in case from %q, whose conditions match the same requests; rename one of the groups", rival.backend.Name))
		} else {
			kept[name] = append(kept[name], g)
		}
		letIn = letIn || g.shadowed && rival == nil && !g.live()
		g.shadowed = rival != nil
	}
	return letIn
}

// shadowedBy returns the group in kept that takes this group's requests; nil if none
// does.
func (g *group) shadowedBy(kept []*group) *group {
	i := slices.IndexFunc(kept, func(rival *group) bool {
		return g.discovered && overlapIgnoringCase(g.backend.ACLs, rival.backend.ACLs)
	})
	if i < 0 {
		return nil
	}
	return kept[i]
}

// precedence is lower for groups that take precedence.
func (g *group) precedence() int {
	switch {
	case !g.discovered:
		return 0
	case g.state == accepted, g.ran():
		return 1
	}
	return 2
}

// overlapIgnoringCase reports whether two groups share a condition that ignores case.
func overlapIgnoringCase(some, others []string) bool {
	return slices.ContainsFunc(some, func(acl string) bool {
		return slices.Contains(strings.Fields(acl), "-i") && slices.ContainsFunc(others, func(other string) bool { return strings.EqualFold(acl, other) })
	})
}

// leftOut reports whether the configuration omits the group.
func (g *group) leftOut() bool { return g.standing.leftOut() || g.shadowed || g.retired }

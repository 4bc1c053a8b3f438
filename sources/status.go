package sources

import (
	"cmp"
	"maps"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Statuses joins the status of several sources, at least one. What is written in the
// configuration is only mentioned if there is nothing else.
func Statuses(all []Source) registry.ConnectionStatus {
	var joined []registry.ConnectionStatus
	for _, s := range all {
		joined = append(joined, s.ConnectionStatus())
	}
	if rest := slices.DeleteFunc(slices.Clone(joined), func(c registry.ConnectionStatus) bool { return c.Source == registry.Written }); len(rest) > 0 {
		joined = rest
	}
	first := joined[0]
	first.Others = joined[1:]
	return first
}

// Registrations joins the findings of several sources, ordered by group.
func Registrations(all []Source) []registry.Registrations {
	var joined []registry.Registrations
	for _, s := range all {
		joined = append(joined, s.Registrations()...)
	}
	if len(all) < 2 {
		return joined
	}
	slices.SortStableFunc(joined, byGroup)
	merged := joined[:0:0]
	for _, r := range joined {
		if last := len(merged) - 1; last >= 0 && merged[last].Group == r.Group {
			merged[last].Usable += r.Usable
			merged[last].Formats = add(merged[last].Formats, r.Formats)
			merged[last].Findings = slices.Concat(merged[last].Findings, r.Findings)
			merged[last].Skipped = slices.Concat(merged[last].Skipped, r.Skipped)
			merged[last].Unnamed += r.Unnamed
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// add returns the sum of two counts by format. Neither is changed.
func add(a, b map[string]int) map[string]int {
	if len(a) == 0 {
		return b
	}
	sum := maps.Clone(a)
	for format, n := range b {
		sum[format] += n
	}
	return sum
}

func byGroup(a, b registry.Registrations) int { return cmp.Compare(a.Group, b.Group) }

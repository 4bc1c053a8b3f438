package intake

import (
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// maxNamed bounds the children of a group that are reported one by one, within logAgain:
// more are reported together.
const maxNamed = 10

// naming decides which children that are skipped are reported. The zero value has reported
// none.
type naming struct {
	named map[registry.Skipped]time.Time // those reported one by one, and since when they are gone; zero: they are not
	many  map[registry.Finding]bool      // reasons whose further children were reported together
	since time.Time                      // the beginning of the interval in which lines are counted
	lines int
}

// choose returns the children to be reported now, each as a finding of its own, and the
// findings of which some children are not reported one by one.
func (n *naming) choose(found *Summary, now time.Time) (named, together []registry.Finding) {
	if n.named == nil {
		n.named = make(map[registry.Skipped]time.Time)
	}
	if now.Sub(n.since) >= logAgain {
		n.since, n.lines = now, 0
	}
	known, current := make(map[registry.Finding]int), make(map[registry.Skipped]bool)
	for _, child := range found.Skipped() {
		f := registry.Finding{Kind: child.Kind, Count: 1, Example: child.Name, Problem: child.Problem, Remedy: child.Remedy}
		gone, before := n.named[child]
		switch {
		case before && (gone.IsZero() || now.Sub(gone) < logAgain):
		case n.lines >= maxNamed || n.many[reasonOf(f)]:
			continue
		default:
			n.lines++
			named = append(named, f)
		}
		n.named[child], current[child] = time.Time{}, true
		known[reasonOf(f)]++
	}
	for child, gone := range n.named {
		switch {
		case current[child]:
		case gone.IsZero():
			n.named[child] = now
		case now.Sub(gone) >= logAgain:
			delete(n.named, child)
		}
	}
	many := make(map[registry.Finding]bool)
	for _, f := range found.Found() {
		if f.Count <= known[reasonOf(f)] {
			continue
		}
		many[reasonOf(f)] = true
		if !n.many[reasonOf(f)] {
			together = append(together, f)
		}
	}
	n.many = many
	return named, together
}

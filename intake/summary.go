package intake

import (
	"errors"
	"strconv"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

const changeNetworks = "deregister it, or change allow_networks and deny_networks if they refuse it"

const (
	// maxExample bounds the part of a name that is shown; ZooKeeper allows a megabyte.
	maxExample = 64
	// maxSkipped bounds the children of a group that are named.
	maxSkipped = 100
)

// Summary collects findings: one per kind and problem, in the order of their first names.
// The zero value is empty.
type Summary struct {
	found   []registry.Finding
	at      map[registry.Finding]int // by kind and problem
	skipped []registry.Skipped
	unnamed int
}

// Skip adds a child that is skipped because of err.
func (s *Summary) Skip(name string, err error) { s.Add(name, Classify(err)) }

// Add adds a child about which there is a finding without a count and an example.
func (s *Summary) Add(name string, f registry.Finding) {
	id := registry.Finding{Kind: f.Kind, Problem: f.Problem}
	i, known := s.at[id]
	if !known {
		if s.at == nil {
			s.at = make(map[registry.Finding]int)
		}
		i = len(s.found)
		s.at[id] = i
		f.Example = Printable(name)
		s.found = append(s.found, f)
	}
	s.found[i].Count++
	if len(s.skipped) >= maxSkipped {
		s.unnamed++
		return
	}
	s.skipped = append(s.skipped, registry.Skipped{Name: Printable(name), Kind: f.Kind, Problem: f.Problem, Remedy: f.Remedy})
}

// Found returns the findings. They are shared: add nothing any more.
func (s *Summary) Found() []registry.Finding { return s.found }

// Skipped returns the first of the children added, in their order. They are shared: add
// nothing any more.
func (s *Summary) Skipped() []registry.Skipped { return s.skipped }

// Unnamed returns the number of the other children.
func (s *Summary) Unnamed() int { return s.unnamed }

// Classify describes a child that is skipped because of err. The finding has neither a
// count nor an example.
func Classify(err error) registry.Finding {
	if reason, ok := errors.AsType[*decode.Reason](err); ok {
		return registry.Finding{Kind: reason.Kind, Problem: reason.Problem, Remedy: reason.Remedy}
	}
	return registry.Finding{Kind: registry.Refused, Problem: err.Error(), Remedy: changeNetworks}
}

// Printable escapes and truncates a name from outside, for a line of output.
func Printable(name string) string {
	cut := ""
	if len(name) > maxExample {
		name, cut = name[:maxExample], "..."
	}
	quoted := strconv.Quote(name)
	return quoted[1:len(quoted)-1] + cut
}

package config

import (
	"fmt"
	"regexp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// maxPlace is the length of the longest name of a node or zone: that of a host name.
const maxPlace = 253

var placeName = regexp.MustCompile(`^[A-Za-z0-9_.:/-]*$`)

// Place returns where the process runs, as the environment says.
func (p *Process) Place() registry.Place { return registry.Place{Node: p.NodeName, Zone: p.NodeZone} }

// validatePlace returns what is wrong with the names of node and zone, which get into
// labels of metrics.
func (p *Process) validatePlace() (problems []error) {
	for _, of := range []struct{ variable, name string }{{"NODE_NAME", p.NodeName}, {"NODE_ZONE", p.NodeZone}} {
		if len(of.name) > maxPlace || !placeName.MatchString(of.name) {
			problems = append(problems, fmt.Errorf("%s: %.300q is not a name: give up to %d letters, digits and -_.:/", p.spell(of.variable), of.name, maxPlace))
		}
	}
	return problems
}

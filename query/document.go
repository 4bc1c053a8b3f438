package query

import (
	"encoding/json"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// document is everything that is answered about one snapshot.
type document struct {
	// of identifies the content, and keeps the snapshot from being collected:
	// another one at the same address would pass for it.
	of     *registry.Snapshot
	whole  []byte
	groups map[string][]byte
}

func newDocument(s *registry.Snapshot) *document {
	d := &document{of: s, groups: make(map[string][]byte, len(s.Groups))}
	open := append(appendString([]byte{'{'}, s.Proxy), ":{"...)
	d.whole = slices.Clone(open)
	for i, g := range s.Groups {
		group := appendGroup(nil, g)
		d.groups[g.Name] = slices.Concat(open, group, []byte("}}\n"))
		if i > 0 {
			d.whole = append(d.whole, ',')
		}
		d.whole = append(d.whole, group...)
	}
	d.whole = append(d.whole, "}}\n"...)
	return d
}

// member is the document without its outer braces.
func (d *document) member() []byte { return d.whole[len("{") : len(d.whole)-len("}\n")] }

func appendGroup(b []byte, g registry.Group) []byte {
	b = appendString(b, g.Name)
	b = append(b, `:{"instances":[`...)
	for i, instance := range g.Instances {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, instance.String())
	}
	return append(b, "]}"...)
}

func appendString(b []byte, s string) []byte { return appendJSON(b, s) }

// appendJSON is for values that always have a JSON form.
func appendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append(b, text...)
}

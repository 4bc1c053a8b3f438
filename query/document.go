package query

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// document holds all answers about one snapshot.
type document struct {
	// of identifies the content and keeps the snapshot alive: another one allocated at the
	// same address would be mistaken for it.
	of     *registry.Snapshot
	groups map[string]part
	// whole is built on first use: a change in one group should not cost as much as a
	// document of all groups.
	whole *page
}

// part is the answer about one group.
type part struct {
	of   []registry.Instance
	text []byte
	page *page
}

// newDocument reuses unchanged parts of the previous document, which may be nil. Changed
// parts get the index.
func newDocument(s *registry.Snapshot, before *document, index uint64) *document {
	if before != nil && before.of.Proxy != s.Proxy {
		before = nil
	}
	d := &document{of: s, groups: make(map[string]part, len(s.Groups))}
	open := append(appendString([]byte{'{'}, s.Proxy), ":{"...)
	same := before != nil && slices.EqualFunc(before.of.Groups, s.Groups, func(a, b *registry.Group) bool { return a.Name == b.Name })
	for _, g := range s.Groups {
		p, known := part{}, false
		if before != nil {
			p, known = before.groups[g.Name]
		}
		if !known || !sameList(p.of, g.Instances) {
			p.of = g.Instances
			text := slices.Concat(open, appendGroup(nil, *g), []byte("}}\n"))
			if !bytes.Equal(text, p.text) {
				p.text, p.page = text, newPage(typeJSON, index, func() []byte { return text })
				same = false
			}
		}
		d.groups[g.Name] = p
	}
	if same {
		d.whole = before.whole
		return d
	}
	d.whole = newPage(typeJSON, index, func() []byte {
		whole := slices.Clone(open)
		for i, g := range s.Groups {
			if i > 0 {
				whole = append(whole, ',')
			}
			text := d.groups[g.Name].text
			whole = append(whole, text[len(open):len(text)-len("}}\n")]...)
		}
		return append(whole, "}}\n"...)
	})
	return d
}

// member returns the document without its outer braces.
func (d *document) member() []byte {
	whole := d.whole.text()
	return whole[len("{") : len(whole)-len("}\n")]
}

// sameList reports whether two lists, which are immutable, are the same slice.
func sameList(a, b []registry.Instance) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

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

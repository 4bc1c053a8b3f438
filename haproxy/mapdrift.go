package haproxy

import (
	"fmt"
	"regexp"
	"strings"
)

// ShowMap returns the request for the entries of the map, whose reply [Map.Compare] reads.
func (m Map) ShowMap() string { return "show map " + m.Path }

const (
	// A line of a reply begins with a reference of at most 18 bytes.
	mapLineReply = 32
	// spareMapReply is for entries that somebody else added.
	spareMapReply = 1 << 20
)

// MaxReply bounds the reply to [Map.ShowMap].
func (m Map) MaxReply() int64 {
	size := spareMapReply
	for _, e := range m.entries {
		size += mapLineReply + len(e)
	}
	return int64(size)
}

// mapLine is an entry in a reply. Keys that others added may contain spaces.
var mapLine = regexp.MustCompile(`^(0x[0-9a-f]{1,16}) (.*)$`)

// MapDrift is how a worker's map differs from its file.
type MapDrift struct {
	m Map
	// Missing are "KEY GROUP".
	Missing []string
	// Foreign are entries that the file does not have: "KEY VALUE", or one of the file's
	// once more.
	Foreign []string

	references []string // of Foreign
}

// Compare compares the map with a worker's reply to [Map.ShowMap].
func (m Map) Compare(reply string) (MapDrift, error) {
	drift := MapDrift{m: m}
	missing := make(map[string]bool, len(m.entries))
	for _, e := range m.entries {
		missing[e] = true
	}
	for line := range strings.Lines(reply) {
		found := mapLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		switch {
		case found == nil:
			return MapDrift{}, fmt.Errorf("%q: HAProxy answered %.200q", m.ShowMap(), line)
		case missing[found[2]]:
			delete(missing, found[2])
		default:
			drift.Foreign, drift.references = append(drift.Foreign, found[2]), append(drift.references, found[1])
		}
	}
	for _, e := range m.entries {
		if missing[e] {
			drift.Missing = append(drift.Missing, e)
		}
	}
	return drift, nil
}

// Any reports whether there is a difference.
func (d MapDrift) Any() bool { return len(d.Missing)+len(d.Foreign) > 0 }

// Commands returns the commands that repair the map; the reply to each is empty. What is
// missing comes first, so that a key whose value was changed is never without one, and
// what is foreign is deleted by reference: a key may have several entries, of which
// HAProxy deletes all up to 3.2, and later one.
func (d MapDrift) Commands() []string {
	var all []string
	for _, e := range d.Missing {
		all = append(all, "add map "+d.m.Path+" "+e)
	}
	for _, reference := range d.references {
		all = append(all, "del map "+d.m.Path+" #"+reference)
	}
	return all
}

// ConfirmRepair returns nil if the replies to [MapDrift.Commands] say that the map is
// repaired. An entry to be deleted may be gone already.
func (d MapDrift) ConfirmRepair(replies []string) error {
	for i, command := range d.Commands() {
		if replies[i] != "" && replies[i] != "Key not found." {
			return fmt.Errorf("%q: HAProxy answered %.200q", command, replies[i])
		}
	}
	return nil
}

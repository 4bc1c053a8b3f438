package syncer

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// Bodies, big-endian: a string is a length (4) and that many bytes, a list is a count
// (4) and that many strings. See GetChildren2Response, ExistsResponse and WatcherEvent
// in ZooKeeper's zookeeper.jute.
const (
	statLength = 68
	// maxEvent is more than a kind (4), a state (4) and a path of ours, which had to fit
	// into a request.
	maxEvent = 1 << 20
	// nameShortest is a length and a byte.
	nameShortest = 5

	// The kinds of events: created, deleted, changed, children changed. The library would
	// treat other values as its own session events.
	eventFirst = 1
	eventLast  = 4
)

// body is the unread rest of a frame after its head.
type body []byte

// number reads a number; ok is false if there is none.
func (b *body) number() (n uint32, ok bool) {
	if len(*b) < 4 {
		return 0, false
	}
	n = binary.BigEndian.Uint32(*b)
	*b = (*b)[4:]
	return n, true
}

// text reads a string; ok is false if it is longer than the rest.
func (b *body) text() (text []byte, ok bool) {
	n, ok := b.number()
	if !ok || uint64(n) > uint64(len(*b)) {
		return nil, false
	}
	text, *b = (*b)[:n], (*b)[n:]
	return text, true
}

// validList checks the answer to getChildren2. The names are checked by their consumer;
// since none is empty, the length bounds their count.
func validList(b body) error {
	count, ok := b.number()
	if !ok || uint64(count) > uint64(len(b))/nameShortest {
		return faultf("a list of %d names in %d bytes", count, len(b))
	}
	for i := range count {
		name, ok := b.text()
		if !ok {
			return faultf("name %d of a list is longer than the rest", i)
		}
		if len(name) == 0 {
			return faultf("name %d of a list is empty", i)
		}
	}
	if len(b) != statLength {
		return faultf("%d bytes after the names of a list", len(b))
	}
	return nil
}

// validPath checks the answer to create, which is the created path.
func validPath(b body) error {
	if path, ok := b.text(); !ok || len(b) > 0 || !bytes.HasPrefix(path, []byte("/")) {
		return faultf("no path for a created node")
	}
	return nil
}

// validEvent checks an event of a watch. Watches are at or below root, which is a path
// or "" for the top.
func validEvent(b body, root string) error {
	kind, ok := b.number()
	if !ok || kind < eventFirst || kind > eventLast {
		return faultf("an event of kind %d", int32(kind))
	}
	_, _ = b.number() // the state, which is not used
	path, ok := b.text()
	switch {
	case !ok:
		return faultf("the path of an event is longer than the event")
	case len(b) > 0:
		return faultf("%d bytes after an event", len(b))
	case !utf8.Valid(path) || !within(string(path), root):
		return faultf("an event for a path outside the chroot")
	}
	return nil
}

// within reports whether path is root or below it.
func within(path, root string) bool {
	rest, below := strings.CutPrefix(path, root)
	return below && (strings.HasPrefix(rest, "/") || rest == "" && root != "")
}

// watches counts the watches in a request that sets watches again.
func watches(b body) int {
	total := 0
	for range 3 { // on data, on existence, on children
		count, _ := b.number()
		for range count {
			if _, ok := b.text(); !ok {
				return total
			}
			total++
		}
	}
	return total
}

package syncer

import (
	"bytes"
	"encoding/binary"
	"math"
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

	// maxOperations is the most operations of a transaction, opFailed the kind of one that
	// failed.
	maxOperations = 2
	opFailed      = -1

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

// data reads data and the stat behind it.
func (b *body) data() (data []byte, ok bool) {
	length, ok := b.number()
	if length == math.MaxUint32 {
		length = 0
	}
	if !ok || uint64(length)+statLength > uint64(len(*b)) {
		return nil, false
	}
	data, *b = (*b)[:length], (*b)[uint64(length)+statLength:]
	return data, true
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

// validData checks the answer to getData: a length, which is -1 without data, that many
// bytes and a stat.
func validData(b body) error {
	length, ok := b.number()
	if length == math.MaxUint32 {
		length = 0
	}
	if !ok || uint64(length)+statLength != uint64(len(b)) {
		return faultf("data of %d bytes in %d", int32(length), len(b))
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

// validTransaction checks the answer to a transaction: for each operation its kind (4), a
// byte and an error (4), then the path of a created node or the error (4) of one that
// failed. A last entry has the kind -1 and the byte 1. See MultiHeader in ZooKeeper's
// zookeeper.jute, and its MultiResponse.
func validTransaction(b body) error {
	for range maxOperations + 1 {
		kind, ok := b.number()
		if !ok || len(b) < 1+4 {
			return faultf("a transaction ends within an operation")
		}
		last := b[0]
		b = b[1+4:]
		switch {
		case last == 1 && len(b) == 0:
			return nil
		case last != 0:
			return faultf("%d bytes after a transaction", len(b))
		case int32(kind) == opFailed:
			_, ok = b.number()
		case kind == opCreate:
			_, ok = b.text()
		default:
			ok = kind == opDelete
		}
		if !ok {
			return faultf("operation %d of a transaction", int32(kind))
		}
	}
	return faultf("a transaction of more than %d operations", maxOperations)
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

package syncer

import (
	"encoding/binary"
	"slices"
	"sync/atomic"
)

// Requests and answers are frames, big-endian: length of what follows (4) and
// number (4); then a request has its operation (4), an answer the last change
// (8) and an error (4). The request of the handshake has no number, but protocol
// version (4) and last change (8). See RequestHeader, ReplyHeader, ConnectRequest
// and SetWatches in ZooKeeper's zookeeper.jute.
const (
	// opSetWatches sets watches again after a reconnect. The last change (8) that
	// follows the operation is that up to which the client has seen everything.
	opSetWatches = 101

	offsetNumber    = 4
	offsetOperation = 8
	offsetMark      = 12
	offsetSeen      = 8
	offsetError     = 16

	// The library parts watches into requests of about 128 KB and sends one when
	// the one before was answered. Of a request that is nearly as long it is not
	// known whether it is the last.
	fullSetWatches = 120 << 10
)

// mark is the last change up to which a client has seen everything that it
// watches, kept over the connections of a session.
//
// The library takes the last change that an answer told of. While watches are
// being set again this is too late a mark: an answer may tell of a change whose
// event the server sends only with the watch. If the connection ends then, the
// next one would have the server believe that the event was seen. So the mark
// moves only when all watches were set; an earlier one costs a read at most.
type mark struct {
	zxid uint64
	last atomic.Uint32 // the number of the request that sets the last watches; 0 is none yet
	set  atomic.Bool   // it was answered, or there were no watches to be set
}

// begin looks at the request of a handshake. before is the mark of the
// connection that had a session last, nil if none had.
func (m *mark) begin(request []byte, before *mark) {
	if len(request) < offsetSeen+8 {
		return
	}
	m.zxid = binary.BigEndian.Uint64(request[offsetSeen:])
	switch {
	case m.zxid == 0: // a new session: nothing was seen, nothing is watched
		m.set.Store(true)
	case before != nil && !before.set.Load():
		m.zxid = min(m.zxid, before.zxid)
	}
}

// correct returns the request as it is to be sent.
func (m *mark) correct(request []byte) []byte {
	if !isSetWatches(request) || len(request) < offsetMark+8 {
		return request
	}
	if len(request) < fullSetWatches {
		m.last.Store(binary.BigEndian.Uint32(request[offsetNumber:]))
	}
	request = slices.Clone(request) // it is the library's
	binary.BigEndian.PutUint64(request[offsetMark:], m.zxid)
	return request
}

// answered looks at an answer.
func (m *mark) answered(number, code uint32) {
	if number == m.last.Load() && number != 0 && code == 0 {
		m.set.Store(true)
	}
}

// isSetWatches looks at a whole request: the library writes each at once.
func isSetWatches(request []byte) bool {
	return len(request) >= offsetOperation+4 && binary.BigEndian.Uint32(request[offsetOperation:]) == opSetWatches
}

package syncer

import (
	"encoding/binary"
	"slices"
	"sync/atomic"
)

// Requests and answers are frames, big-endian: length of the rest (4) and number (4);
// then a request has its operation (4), an answer the last zxid (8) and an error (4).
// The request of the handshake has no number, but protocol version (4) and last zxid
// (8). See RequestHeader, ReplyHeader, ConnectRequest and SetWatches in ZooKeeper's
// zookeeper.jute.
const (
	// opSetWatches sets watches again after a reconnect. The zxid (8) that follows the
	// operation is that of the last change the client has seen.
	opSetWatches = 101

	offsetNumber    = 4
	offsetOperation = 8
	offsetLastSeen  = 12
	offsetSeen      = 8
	offsetError     = 16

	// The library splits watches into requests of about 128 KB and sends one when the
	// previous one was answered. A request of nearly that length may not be the last.
	fullSetWatches = 120 << 10
)

// lastSeenZxid is the last change up to which a client has seen everything that it
// watches, across the connections of a session.
//
// The library uses the zxid of the last answer. While watches are being set again that
// is too late: an answer may carry the zxid of a change whose event the server sends
// only with the watch. If the connection ends then, the next one would make the server
// believe that the event was seen. So this zxid advances only once all watches are set;
// too early a zxid costs a read at most.
type lastSeenZxid struct {
	zxid uint64
	last atomic.Uint32 // number of the request that sets the last watches; 0: none yet
	set  atomic.Bool   // it was answered, or there were no watches to set
}

// begin inspects the request of a handshake. before is that of the connection that last
// had a session, nil if none had.
func (m *lastSeenZxid) begin(request []byte, before *lastSeenZxid) {
	if len(request) < offsetSeen+8 {
		return
	}
	m.zxid = binary.BigEndian.Uint64(request[offsetSeen:])
	switch {
	case m.zxid == 0: // a new session: no watches
		m.set.Store(true)
	case before != nil && !before.set.Load():
		m.zxid = min(m.zxid, before.zxid)
	}
}

// correct returns the request to be sent.
func (m *lastSeenZxid) correct(request []byte) []byte {
	if !isSetWatches(request) || len(request) < offsetLastSeen+8 {
		return request
	}
	if len(request) < fullSetWatches {
		m.last.Store(binary.BigEndian.Uint32(request[offsetNumber:]))
	}
	request = slices.Clone(request) // it belongs to the library
	binary.BigEndian.PutUint64(request[offsetLastSeen:], m.zxid)
	return request
}

// answered inspects an answer.
func (m *lastSeenZxid) answered(number, code uint32) {
	if number == m.last.Load() && number != 0 && code == 0 {
		m.set.Store(true)
	}
}

// isSetWatches inspects a whole request: the library writes each at once.
func isSetWatches(request []byte) bool {
	return len(request) >= offsetOperation+4 && binary.BigEndian.Uint32(request[offsetOperation:]) == opSetWatches
}

package syncer

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"time"
)

// Operations that the library sends for us.
const (
	// Operations that the library sends.
	opCreate       = 1
	opDelete       = 2
	opExists       = 3
	opGetData      = 4
	opPing         = 11
	opGetChildren2 = 12
	opMulti        = 14
)

// The numbers of frames that answer no request of a number.
const (
	// The numbers of frames that do not answer a numbered request.
	numberEvent = math.MaxUint32     // -1
	numberPing  = math.MaxUint32 - 1 // -2
)

// request is a request that was sent.
type request struct {
	number    uint32
	operation uint32
	at        time.Time
	reply     chan<- reply // of a request of our own; nil: it is the library's
}

// sent holds the requests sent over one connection that are not answered yet. Several
// goroutines may call its methods.
//
// ZooKeeper answers the requests of a session in order, as its own clients insist; and a
// watch fires once. So everything that arrives uses up something that was sent, and a
// server cannot withhold one answer while it gives others.
type sent struct {
	mu       sync.Mutex
	requests []request   // oldest first
	pings    []time.Time // when they were sent, oldest first
	watches  int         // upper bound of those that may still fire
}

// note records a whole request of the library that is about to be written.
func (s *sent) note(frame []byte) { s.add(frame, nil) }

// add records a whole request that is about to be written.
func (s *sent) add(frame []byte, to chan<- reply) {
	if len(frame) < offsetOperation+4 {
		return
	}
	r := request{
		number:    binary.BigEndian.Uint32(frame[offsetNumber:]),
		operation: binary.BigEndian.Uint32(frame[offsetOperation:]),
		at:        time.Now(),
		reply:     to,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.operation {
	case opPing:
		s.pings = append(s.pings, r.at)
		return
	case opExists, opGetData, opGetChildren2: // the last byte asks for a watch
		s.watches += int(frame[len(frame)-1])
	case opSetWatches:
		if len(frame) > offsetLastSeen+8 {
			s.watches += watches(frame[offsetLastSeen+8:])
		}
	}
	s.requests = append(s.requests, r)
}

// readsMany reports whether a multi-read is not answered yet.
func (s *sent) readsMany() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.requests, func(r request) bool { return r.operation == opMultiRead })
}

// answered removes the oldest request, which the answer must belong to.
func (s *sent) answered(number uint32) (request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		return request{}, faultf("response to request %d, which was not sent", int32(number))
	}
	oldest := s.requests[0]
	if oldest.number != number {
		return request{}, faultf("response to request %d, expected %d", int32(number), int32(oldest.number))
	}
	s.requests = s.requests[1:]
	return oldest, nil
}

// ponged removes the oldest ping, to which the answer belongs. A server that answers
// pings must have answered everything sent more than patience ago: nothing else would end
// that wait.
func (s *sent) ponged(patience time.Duration) (request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pings) == 0 {
		return request{}, faultf("response to a ping that was not sent")
	}
	oldest := request{operation: opPing, at: s.pings[0]}
	s.pings = s.pings[1:]
	if len(s.requests) > 0 {
		if waited := time.Since(s.requests[0].at); waited > patience {
			return request{}, faultf("pings are answered, but a request sent %v ago is not", waited.Round(time.Second))
		}
	}
	return oldest, nil
}

// fired handles the event of a watch.
func (s *sent) fired() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches == 0 {
		return faultf("more events than watches")
	}
	s.watches--
	return nil
}

package syncer

import (
	"encoding/binary"
	"io"
	"slices"
	"testing"
)

// handshake returns the request of a client that has seen changes up to seen.
func handshake(seen uint64) []byte {
	request := binary.BigEndian.AppendUint32(nil, 44)
	request = binary.BigEndian.AppendUint32(request, 0)
	return append(binary.BigEndian.AppendUint64(request, seen), make([]byte, 32)...)
}

// setWatches returns a request that sets watches, of at least length bytes.
func setWatches(number uint32, seen uint64, length int) []byte {
	request := binary.BigEndian.AppendUint32(nil, uint32(length))
	request = binary.BigEndian.AppendUint32(request, number)
	request = binary.BigEndian.AppendUint32(request, opSetWatches)
	request = binary.BigEndian.AppendUint64(request, seen)
	return append(request, make([]byte, max(0, length-len(request)))...)
}

func markOf(request []byte) uint64 { return binary.BigEndian.Uint64(request[offsetLastSeen:]) }

func TestLastSeenZxidAdvancesOnceWatchesAreSet(t *testing.T) {
	var first, second, third, fourth, fifth lastSeenZxid
	first.begin(handshake(0), nil) // a new session has no watches to be set

	second.begin(handshake(10), &first)
	request := setWatches(3, 12, 100)
	if sent := second.correct(request); markOf(sent) != 10 || markOf(request) != 12 {
		t.Errorf("sent %d, left %d", markOf(sent), markOf(request))
	}
	second.answered(2, 0) // another request's
	second.answered(3, 1) // an error

	// The connection was lost before the watches were set; an answer had zxid 20.
	third.begin(handshake(20), &second)
	if sent := third.correct(setWatches(7, 20, 100)); markOf(sent) != 10 {
		t.Errorf("sent %d, but 11 to 20 may not have been seen", markOf(sent))
	}
	third.answered(7, 0)

	fourth.begin(handshake(30), &third)
	if sent := fourth.correct(setWatches(9, 31, fullSetWatches)); markOf(sent) != 30 {
		t.Errorf("sent %d", markOf(sent))
	}
	fourth.answered(9, 0) // more may follow
	fifth.begin(handshake(40), &fourth)
	if sent := fifth.correct(setWatches(11, 40, 100)); markOf(sent) != 30 {
		t.Errorf("sent %d, but not all watches were set", markOf(sent))
	}
	for _, other := range [][]byte{{}, make([]byte, 11), make([]byte, 40)} {
		if sent := fifth.correct(other); !slices.Equal(sent, other) {
			t.Errorf("another request became %v", sent)
		}
	}
}

// A server does not answer, and the zxids that arrive at it are checked.
func TestLastSeenZxidAcrossConnections(t *testing.T) {
	d := newTestDialer(t, 1)
	d.heard = func() {}
	arrives := func(seen uint64, answer []byte) uint64 {
		c, far := connWith(t, d)
		go func() { _, _ = c.Write(handshake(seen)) }()
		_, _ = io.ReadFull(far, make([]byte, len(handshake(seen))))
		go func() { _, _ = far.Write(answerBytes(7, 1e9)) }()
		if err := authenticate(c); err != nil {
			t.Fatal(err)
		}
		d.connected()
		go func() { _, _ = c.Write(setWatches(5, seen, 100)) }()
		got := make([]byte, 100)
		_, _ = io.ReadFull(far, got)
		if answer != nil {
			go func() { _, _ = far.Write(answer) }()
			_, _ = io.ReadFull(c, make([]byte, len(answer)))
		}
		return markOf(got)
	}
	set := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 16), 5)
	set = append(set, make([]byte, 12)...)
	for i, step := range []struct {
		seen   uint64
		answer []byte
		want   uint64
	}{{10, nil, 10}, {20, nil, 10}, {30, set, 10}, {40, set, 40}} {
		if got := arrives(step.seen, step.answer); got != step.want {
			t.Errorf("step %d: mark %d arrives, want %d", i, got, step.want)
		}
	}
}

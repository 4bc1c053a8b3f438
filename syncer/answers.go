package syncer

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	// headLength is the length of a frame that consists of its head only.
	headLength = offsetError + 4 - offsetNumber
	// offsetBody is where a frame's body begins.
	offsetBody = offsetError + 4

	// Memory for a frame is allocated as it arrives, whatever length it claims, and up to
	// maxBuffer is kept for the next one.
	firstPiece = 64 << 10
	maxBuffer  = 256 << 10

	// codeLowest is below all of ZooKeeper's errors, which are negative.
	codeLowest = -200
	// codeTooLong replaces an answer that is too long: [zk.ErrAPIError], which no server
	// sends.
	codeTooLong = -100
	// codeRequiresSASL precedes the end of a connection without SASL. See
	// SESSIONCLOSEDREQUIRESASLAUTH of ZooKeeper.
	codeRequiresSASL = -124
	// codeUnimplemented is of a server that does not know a request. It does not wait for
	// the answers to earlier ones, and ends the connection.
	codeUnimplemented = -6
	codeNoNode        = -101
	codeNoAuth        = -102
)

// errOldServer ends a connection to a server older than 3.6, as that server does itself.
var errOldServer = &fault{"the server is older than 3.6: reading data node by node"}

// errListTooLong is the message for codeTooLong.
var errListTooLong = fmt.Errorf("the list is longer than %d MB; delete nodes that are not instances", maxAnswer>>20)

// answers reads what a server sends after the handshake and passes on only complete,
// valid frames. The library trusts every length, count and number: it panics on a short
// frame, and allocates any amount of memory for a long list. Everything invalid becomes
// a [fault].
//
// An answer longer than maxAnswer, or maxDataAnswer, becomes an error of that request: the library would
// close the connection that all groups share, and send the same request over the next
// one.
type answers struct {
	from     io.Reader
	sent     *sent
	root     string        // the chroot; all watches are below it
	patience time.Duration // see [sent.ponged]
	each     func(number, code uint32)
	// took is called with each request's operation and the time until all of its answer
	// had arrived; it may be nil.
	took func(operation uint32, d time.Duration)

	zxid    int64  // the latest zxid in an answer
	frame   []byte // a complete frame
	ready   []byte // the part of it not passed on yet
	surplus int64  // bytes after it to be discarded

	// request is that of the frame; zero if it is an event.
	request request
}

func (a *answers) Read(p []byte) (int, error) {
	for len(a.ready) == 0 {
		if err := a.next(); err != nil {
			return 0, err
		}
		if a.request.reply == nil {
			a.ready = a.frame
		}
	}
	n := copy(p, a.ready)
	a.ready = a.ready[n:]
	if len(a.ready) == 0 && cap(a.frame) > maxBuffer {
		a.frame, a.ready = nil, nil
	}
	return n, nil
}

// head is the head of every frame, after its length.
type head struct {
	number uint32
	zxid   int64
	code   int32
}

// next reads a frame.
func (a *answers) next() error {
	if _, err := io.CopyN(io.Discard, a.from, a.surplus); err != nil {
		return err
	}
	a.surplus, a.frame = 0, a.frame[:0]
	if err := a.fill(offsetNumber); err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(a.frame)
	if length < headLength || length > math.MaxInt32 {
		return faultf("length %d", int32(length))
	}
	if err := a.fill(offsetBody); err != nil {
		return err
	}
	h := head{
		number: binary.BigEndian.Uint32(a.frame[offsetNumber:]),
		zxid:   int64(binary.BigEndian.Uint64(a.frame[offsetSeen:])),
		code:   int32(binary.BigEndian.Uint32(a.frame[offsetError:])),
	}
	check, err := a.expect(h, int(length)-headLength)
	if err != nil {
		return err
	}
	if length > a.most() {
		a.surplus, h.code = int64(length)-headLength, codeTooLong
		binary.BigEndian.PutUint32(a.frame, headLength)
		binary.BigEndian.PutUint32(a.frame[offsetError:], uint32(h.code))
	} else {
		if err := a.fill(offsetNumber + int(length)); err != nil {
			return err
		}
		if check != nil {
			if err := check(a.frame[offsetBody:]); err != nil {
				return err
			}
		}
	}
	if a.request.reply != nil {
		a.request.passOn(h, a.frame[offsetBody:])
	}
	a.each(h.number, uint32(h.code))
	if a.took != nil && a.request.operation != 0 {
		a.took(a.request.operation, time.Since(a.request.at))
	}
	return nil
}

// fill reads until the frame has the given length.
func (a *answers) fill(length int) error {
	for have := len(a.frame); have < length; have = len(a.frame) {
		more := min(length-have, max(have, firstPiece))
		a.frame = slices.Grow(a.frame, more)[:have+more]
		if n, err := io.ReadFull(a.from, a.frame[have:]); err != nil {
			a.frame = a.frame[:have+n]
			return err
		}
	}
	return nil
}

// most returns the longest answer to the request of the frame.
func (a *answers) most() uint32 {
	switch a.request.operation {
	case opGetData, opMultiRead:
		return maxDataAnswer
	}
	return maxAnswer
}

// expect checks the head of a frame followed by more bytes. It returns the check for
// those bytes, or nil if their number suffices.
func (a *answers) expect(h head, more int) (check func(body) error, err error) {
	a.request = request{}
	switch h.number {
	case numberPing:
		if h.code != 0 || more != 0 {
			return nil, faultf("error %d and %d bytes for a ping", h.code, more)
		}
		a.request, err = a.sent.ponged(a.patience)
		return nil, err
	case numberEvent:
		if h.code != 0 || more > maxEvent {
			return nil, faultf("error %d and %d bytes for an event", h.code, more)
		}
		return func(b body) error { return validEvent(b, a.root) }, a.sent.fired()
	}
	if h.code == codeUnimplemented && a.sent.readsMany() {
		return nil, errOldServer
	}
	if a.request, err = a.sent.answered(h.number); err != nil {
		return nil, err
	}
	if h.code == codeRequiresSASL {
		return nil, &fault{"the server requires SASL: set zk.sasl"}
	}
	if h.code > 0 || h.code < codeLowest || h.code == codeTooLong {
		return nil, faultf("error %d", h.code)
	}
	if h.zxid > 0 {
		if h.zxid < a.zxid {
			return nil, faultf("zxid %#x after %#x", h.zxid, a.zxid)
		}
		a.zxid = h.zxid
	}
	want := 0
	if h.code == 0 {
		switch a.request.operation {
		case opGetChildren2:
			return validList, nil
		case opGetData:
			return validData, nil
		case opCreate:
			return validPath, nil
		case opMulti:
			return validTransaction, nil
		case opMultiRead:
			return nil, nil // checked by who asked, see parseReadings
		case opExists:
			want = statLength
		}
	}
	if more != want {
		return nil, faultf("%d bytes, not %d, for operation %d with error %d", more, want, int32(a.request.operation), h.code)
	}
	return nil, nil
}

// tooLong replaces the error of an answer that was too long.
func tooLong(err error) error {
	if err == zk.ErrAPIError { //nolint:errorlint // the library returns it unwrapped
		return errListTooLong
	}
	return err
}

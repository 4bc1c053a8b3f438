package syncer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

var (
	errNotZooKeeper = errors.New("the response is not ZooKeeper's, check zk.addr")
	errReadOnly     = errors.New("the server is read-only: it has no quorum")
	errNoStart      = errors.New("the server did not start a session")
)

// The request, big-endian: length of the rest (4), protocol version (4), last zxid (8),
// timeout in ms (4), session (8), and a password preceded by its length (4). See
// ConnectRequest in ZooKeeper's zookeeper.jute.
const (
	offsetAskedTimeout = 16
	offsetAskedSession = 20
	askedMin           = offsetAskedSession + 8
)

// The answer, big-endian: length of the rest (4), protocol version (4), granted timeout
// in ms (4), session (8), length of the password (4), which is 16, the password, and
// from ZooKeeper 3.4 on a byte that marks a read-only server. See ConnectResponse in
// ZooKeeper's zookeeper.jute.
const (
	offsetVersion  = 4
	offsetTimeout  = 8
	offsetSession  = 12
	offsetPassword = 20
	passwordLength = 16
	answerMin      = 4 + 4 + 8 + 4 + passwordLength
	answerMax      = answerMin + 1
)

// A server grants the requested timeout within its minSessionTimeout and
// maxSessionTimeout, 4 s and 40 s by default. Values outside these bounds cannot be
// intended: with a shorter one the library would ping all the time.
const (
	grantedMin = 100 * time.Millisecond
	grantedMax = time.Hour
)

// asked is what the request of a handshake asks for.
type asked struct {
	timeout time.Duration
	session int64 // 0: a new one
}

// correct records the session of a request and returns it with the configured timeout:
// the library would request the timeout that any server granted last.
func (a *asked) correct(request []byte) []byte {
	if len(request) < askedMin {
		return request
	}
	a.session = int64(binary.BigEndian.Uint64(request[offsetAskedSession:]))
	request = slices.Clone(request) // it belongs to the library
	binary.BigEndian.PutUint32(request[offsetAskedTimeout:], uint32(a.timeout.Milliseconds()))
	return request
}

func readAnswer(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head)
	if length < answerMin || length > answerMax {
		return nil, errNotZooKeeper
	}
	answer := append(head, make([]byte, length)...)
	_, err := io.ReadFull(r, answer[4:])
	return answer, err
}

// parseAnswer returns the session, which is 0 if the requested one has expired, and its
// timeout. If the server grants a longer timeout than requested, it corrects the answer:
// the library would notice a dead connection that much later.
func parseAnswer(answer []byte, a asked) (session int64, timeout time.Duration, err error) {
	session = int64(binary.BigEndian.Uint64(answer[offsetSession:]))
	timeout = time.Duration(int32(binary.BigEndian.Uint32(answer[offsetTimeout:]))) * time.Millisecond
	switch {
	case binary.BigEndian.Uint32(answer[offsetVersion:]) != 0,
		binary.BigEndian.Uint32(answer[offsetPassword:]) != passwordLength,
		session != 0 && a.session != 0 && session != a.session:
		return 0, 0, errNotZooKeeper
	case len(answer) > 4+answerMin && answer[4+answerMin] != 0:
		return 0, 0, errReadOnly
	case session == 0 && a.session == 0:
		return 0, 0, errNoStart
	case session == 0:
		return 0, timeout, nil
	case timeout < grantedMin, timeout > max(grantedMax, a.timeout):
		return 0, 0, fmt.Errorf("the server grants a session timeout of %v, %v was requested: "+
			"correct its minSessionTimeout and maxSessionTimeout", timeout, a.timeout)
	case timeout > a.timeout:
		timeout = a.timeout
		binary.BigEndian.PutUint32(answer[offsetTimeout:], uint32(timeout.Milliseconds()))
	}
	return session, timeout, nil
}

package syncer

import (
	"encoding/binary"
	"errors"
	"io"
	"time"
)

var errStranger = errors.New("the answer is not zookeeper's")

// The answer, big-endian: length of what follows (4), protocol version (4),
// granted timeout in ms (4), session (8), length of the password (4), which is
// 16, the password, and from ZooKeeper 3.4 on a byte that tells a read-only
// server. See ConnectResponse in ZooKeeper's zookeeper.jute.
const (
	offsetTimeout  = 8
	offsetSession  = 12
	offsetPassword = 20
	passwordLength = 16
	answerMin      = 4 + 4 + 8 + 4 + passwordLength
	answerMax      = 256
)

func readAnswer(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head)
	if length < answerMin || length > answerMax {
		return nil, errStranger
	}
	answer := append(head, make([]byte, length)...)
	_, err := io.ReadFull(r, answer[4:])
	return answer, err
}

func parseAnswer(answer []byte) (session int64, timeout time.Duration, err error) {
	session = int64(binary.BigEndian.Uint64(answer[offsetSession:]))
	timeout = time.Duration(int32(binary.BigEndian.Uint32(answer[offsetTimeout:]))) * time.Millisecond
	if binary.BigEndian.Uint32(answer[offsetPassword:]) != passwordLength {
		return 0, 0, errStranger
	}
	// The library panics on a session without a timeout.
	if session != 0 && timeout <= 0 {
		return 0, 0, errStranger
	}
	return session, timeout, nil
}

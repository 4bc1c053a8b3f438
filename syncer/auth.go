package syncer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
)

var errAuthRefused = errors.New("the server refuses zk.auth: it does not take the scheme digest")

// The request, big-endian: length of what follows (4), number (4), operation
// (4), type (4), scheme and credentials, each behind its length (4). The answer:
// length (4), number (4), last change (8), error (4). See AuthPacket and
// ReplyHeader in ZooKeeper's zookeeper.jute; the number is that of ZooKeeper's
// own client.
const (
	opAuth     = 100
	numberAuth = math.MaxUint32 - 3 // -4
	authAnswer = 4 + 8 + 4
	offsetCode = 4 + 8
)

// sendAuth tells the server who reads, over a connection whose handshake has
// just been answered. A wrong password is no error here, ZooKeeper then refuses
// what the user may not do.
//
// The library's AddAuth waits for a session, after which reads must wait for
// it, and sends it again on a reconnect without telling of a failure.
func sendAuth(c net.Conn, credentials string) error {
	body := binary.BigEndian.AppendUint32(nil, numberAuth)
	body = binary.BigEndian.AppendUint32(body, opAuth)
	body = binary.BigEndian.AppendUint32(body, 0)
	for _, text := range []string{"digest", credentials} {
		body = binary.BigEndian.AppendUint32(body, uint32(len(text)))
		body = append(body, text...)
	}
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)); err != nil {
		return fmt.Errorf("send zk.auth: %w", err)
	}
	answer := make([]byte, 4+authAnswer)
	if _, err := io.ReadFull(c, answer); err != nil {
		return fmt.Errorf("wait for the answer to zk.auth: %w", err)
	}
	header := answer[4:]
	if binary.BigEndian.Uint32(answer) != authAnswer || binary.BigEndian.Uint32(header) != numberAuth {
		return errStranger
	}
	if binary.BigEndian.Uint32(header[offsetCode:]) != 0 {
		return errAuthRefused
	}
	return nil
}

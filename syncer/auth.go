package syncer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
)

var errAuthRefused = errors.New("the server refuses zk.auth: it does not support the digest scheme")

// The request, big-endian: length of the rest (4), number (4), operation (4), type (4),
// scheme and credentials, each preceded by its length (4). The answer: length (4),
// number (4), last zxid (8), error (4). See AuthPacket and ReplyHeader in ZooKeeper's
// zookeeper.jute; the number is the one that ZooKeeper's own client uses.
const (
	opAuth     = 100
	numberAuth = math.MaxUint32 - 3 // -4
	authAnswer = 4 + 8 + 4
	offsetCode = 4 + 8
)

// sendAuth sends the credentials over a connection whose handshake has just been
// answered. A wrong password is not an error here: ZooKeeper then denies operations.
//
// The library's AddAuth waits for a session, so reads would have to wait for it, and it
// does not report a failure when it sends the credentials again after a reconnect.
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
		return errNotZooKeeper
	}
	if binary.BigEndian.Uint32(header[offsetCode:]) != 0 {
		return errAuthRefused
	}
	return nil
}

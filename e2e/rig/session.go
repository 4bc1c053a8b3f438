package rig

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Session is what a ZooKeeper server gave a client: whoever has both may go on
// with the session, or end it.
type Session struct {
	ID       int64
	Password [16]byte
}

// handshake is the least length of the answer that gives a session: length, version, timeout (4 each),
// id (8), length of the password (4), password (16), more.
const handshake = 40

// closeSession is ZooKeeper's operation -11.
const closeSession = ^uint32(10)

var errNoSession = errors.New("no session in the answer")

func parseHandshake(answer []byte) (Session, error) {
	if len(answer) < handshake || binary.BigEndian.Uint32(answer[20:]) != 16 {
		return Session{}, errNoSession
	}
	s := Session{ID: int64(binary.BigEndian.Uint64(answer[12:]))}
	copy(s.Password[:], answer[24:])
	if s.ID == 0 {
		return Session{}, errNoSession
	}
	return s, nil
}

// greeting finds the session in what a server sends first.
type greeting struct {
	each func(Session)
	head []byte
}

func (g *greeting) feed(b []byte) {
	if len(g.head) == handshake {
		return
	}
	g.head = append(g.head, b[:min(len(b), handshake-len(g.head))]...)
	if s, err := parseHandshake(g.head); err == nil {
		g.each(s)
	}
}

// Close takes the session over on a connection of its own to a server, `ip:port`,
// and closes it there.
func (s Session) Close(server string) error {
	conn, err := net.DialTimeout("tcp", server, 5*time.Second)
	if err != nil {
		return fmt.Errorf("close a session: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return fmt.Errorf("close a session: %w", err)
	}
	// Length, version, last change seen, timeout, id, password.
	hello := binary.BigEndian.AppendUint32(nil, 44)
	hello = append(hello, make([]byte, 4+8)...)
	hello = binary.BigEndian.AppendUint32(hello, 10_000)
	hello = binary.BigEndian.AppendUint64(hello, uint64(s.ID))
	hello = binary.BigEndian.AppendUint32(hello, uint32(len(s.Password)))
	hello = append(hello, s.Password[:]...)
	if _, err := conn.Write(hello); err != nil {
		return fmt.Errorf("take a session over: %w", err)
	}
	answer := make([]byte, handshake)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return fmt.Errorf("take a session over: %w", err)
	}
	if got, err := parseHandshake(answer); err != nil || got.ID != s.ID {
		return fmt.Errorf("take session 0x%x over: got 0x%x: %w", s.ID, got.ID, err)
	}
	request := binary.BigEndian.AppendUint32(nil, 8)
	request = binary.BigEndian.AppendUint32(request, 1)
	request = binary.BigEndian.AppendUint32(request, closeSession)
	if _, err := conn.Write(request); err != nil {
		return fmt.Errorf("close a session: %w", err)
	}
	// The server answers, and ends the connection.
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return fmt.Errorf("close a session: %w", err)
	}
	return nil
}

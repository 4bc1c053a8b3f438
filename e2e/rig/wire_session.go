package rig

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// hello is ZooKeeper's answer to a handshake: length (4), protocol (4), timeout
// (4), session (8), length of the password (4), password (16), and more that does
// not matter.
const (
	helloSize     = 40
	passwordSize  = 16
	sessionAt     = 12
	closeSession  = -11
	closingWithin = 5 * time.Second
)

// session is what a client needs to be the owner of a session: the last that was
// given through a wire. The zero value is none.
type session struct {
	mu   sync.Mutex
	last [helloSize]byte
}

// listen returns what looks for a session in the answers of one connection.
func (s *session) listen() func([]byte) {
	var hello []byte
	return func(b []byte) {
		if len(hello) == helloSize {
			return
		}
		hello = append(hello, b[:min(len(b), helloSize-len(hello))]...)
		if len(hello) == helloSize && binary.BigEndian.Uint32(hello[20:]) == passwordSize && binary.BigEndian.Uint64(hello[sessionAt:]) != 0 {
			s.mu.Lock()
			defer s.mu.Unlock()
			copy(s.last[:], hello)
		}
	}
}

// CloseSession ends the last session that a client of ZooKeeper got through the
// wire, as somebody does who knows its password. The client is not asked.
func (w *Wire) CloseSession(ctx context.Context) error {
	w.session.mu.Lock()
	hello := w.session.last
	w.session.mu.Unlock()
	if binary.BigEndian.Uint64(hello[sessionAt:]) == 0 {
		return errors.New("close a session: none was seen")
	}
	ctx, cancel := context.WithTimeout(ctx, closingWithin)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", w.target)
	if err != nil {
		return fmt.Errorf("close a session: %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return fmt.Errorf("close a session: %w", err)
	}
	// Length, protocol, the last change that was seen, timeout, session, password.
	request := binary.BigEndian.AppendUint32(nil, 4+8+4+8+4+passwordSize)
	request = append(request, make([]byte, 4+8)...)
	request = append(request, hello[8:]...)
	if _, err := conn.Write(request); err != nil {
		return fmt.Errorf("close a session: %w", err)
	}
	if _, err := io.ReadFull(conn, make([]byte, helloSize)); err != nil {
		return fmt.Errorf("close a session: no handshake: %w", err)
	}
	request = binary.BigEndian.AppendUint32(nil, 8)
	request = binary.BigEndian.AppendUint32(request, 1)
	var operation int32 = closeSession
	request = binary.BigEndian.AppendUint32(request, uint32(operation))
	if _, err := conn.Write(request); err != nil {
		return fmt.Errorf("close a session: %w", err)
	}
	// It answers and ends the connection.
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return fmt.Errorf("close a session: %w", err)
	}
	return nil
}

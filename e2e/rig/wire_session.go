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

// ZooKeeper's answer to a handshake: length (4), protocol (4), timeout (4), session
// (8), length of the password (4), password (16), and more that does not matter.
const (
	helloSize     = 40
	passwordSize  = 16
	sessionAt     = 12
	closingWithin = 5 * time.Second

	closeSession = ^uint32(10) // ZooKeeper's operation -11
)

// session is what a client needs to own a session: the last one established through a
// wire. The zero value is none.
type session struct {
	mu   sync.Mutex
	last [helloSize]byte
}

// listen returns a function that looks for a session in the answers of one connection.
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

// CloseSession closes the last session established through the wire, as anyone who
// knows its password can. The client is not involved; it reconnects, and may take the
// session back before it is closed: then the close is retried.
func (w *Wire) CloseSession(ctx context.Context) error {
	w.session.mu.Lock()
	hello := w.session.last
	w.session.mu.Unlock()
	if binary.BigEndian.Uint64(hello[sessionAt:]) == 0 {
		return errors.New("close a session: none was seen")
	}
	// Length, protocol, last seen change, timeout, session, password.
	request := binary.BigEndian.AppendUint32(nil, 4+8+4+8+4+passwordSize)
	request = append(request, make([]byte, 4+8)...)
	request = append(request, hello[8:]...)
	// Length, number, operation.
	request = binary.BigEndian.AppendUint32(request, 8)
	request = binary.BigEndian.AppendUint32(request, 1)
	request = binary.BigEndian.AppendUint32(request, closeSession)
	if err := Eventually(ctx, closingWithin, func() error { return closeOnce(ctx, w.target, request) }); err != nil {
		return fmt.Errorf("close a session: %w", err)
	}
	return nil
}

// closeOnce returns nil if the server reports that it has closed the session or does
// not know it.
func closeOnce(ctx context.Context, server string, request []byte) error {
	ctx, cancel := context.WithTimeout(ctx, closingWithin)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", server)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	hello, err := readFrame(conn)
	if err != nil {
		return fmt.Errorf("no handshake: %w", err)
	}
	if len(hello) < helloSize-4 || binary.BigEndian.Uint64(hello[sessionAt-4:]) == 0 {
		return nil
	}
	if _, err := readFrame(conn); err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	return nil
}

// readFrame reads one answer of ZooKeeper, without its length.
func readFrame(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, min(binary.BigEndian.Uint32(length[:]), 1<<20))
	_, err := io.ReadFull(r, frame)
	return frame, err
}

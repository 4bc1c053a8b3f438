package systemd

import (
	"net"
	"sync"
	"time"
)

// sendWithin bounds the sending of one datagram.
const sendWithin = time.Second

// socket keeps its connection to systemd, so that the watchdog is fed even if the process
// is out of file descriptors.
type socket struct {
	addr *net.UnixAddr

	mu   sync.Mutex
	conn *net.UnixConn // nil: not open, or the last datagram failed
}

// newSocket opens the socket with a name, which begins with @ in the abstract namespace;
// it returns nil if the name is empty. If it cannot be opened, send tries again.
func newSocket(name string) *socket {
	if name == "" {
		return nil
	}
	s := &socket{addr: &net.UnixAddr{Name: name, Net: "unixgram"}}
	_ = s.open() // send tries again
	return s
}

func (s *socket) open() (err error) {
	s.conn, err = net.DialUnix("unixgram", nil, s.addr)
	return err
}

// send sends one datagram, over a new connection if the old one fails.
func (s *socket) send(state string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		if s.write(state) == nil {
			return nil
		}
		s.conn.Close()
		s.conn = nil
	}
	if err := s.open(); err != nil {
		return err
	}
	return s.write(state)
}

func (s *socket) write(state string) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
		return err
	}
	_, err := s.conn.Write([]byte(state))
	return err
}

package haproxy

import (
	"net"
	"sync"
	"time"
)

// spareFor is how long a spare connection is kept: a worker that stops waits for it.
const spareFor = 100 * time.Millisecond

// Spare is a connection to a stats socket that was opened in advance: HAProxy accepts it
// while the request is still unknown.
type Spare struct {
	mu   sync.Mutex
	conn net.Conn
	at   time.Time
}

// Open opens the connection, unless one is open.
func (s *Spare) Open(c Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return
	}
	conn, err := net.DialTimeout("unix", c.Path, min(dialTimeout, c.Timeout))
	if err != nil {
		return
	}
	s.conn, s.at = conn, time.Now()
}

// take returns the connection, which the caller closes; nil if there is none.
func (s *Spare) take() net.Conn {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	conn := s.conn
	s.conn = nil
	return conn
}

package query

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// crowd is who is connected, at most so many. When one more comes, the one that
// has asked for nothing for the longest time makes way; when all are being
// answered, the one that takes longest does. So whoever asks now is heard, also
// beside a flood of connections that say nothing or read nothing: an orchestrator
// would end a process whose health it cannot ask for.
type crowd struct {
	most int

	mu      sync.Mutex
	waiting list.List // of *member: asked for nothing yet, or for nothing more; the longest first
	asking  list.List // of *member: being answered; the longest first
}

// member is one connection.
type member struct {
	net.Conn
	crowd *crowd

	// Guarded by the crowd's lock.
	in    *list.List // waiting or asking; nil when it has left
	place *list.Element
}

// join takes a connection in, as one that has asked for nothing yet.
func (c *crowd) join(conn net.Conn) *member {
	m := &member{Conn: conn, crowd: c}
	if oldest := c.admit(m); oldest != nil {
		_ = oldest.Close() // it has left all the same
	}
	return m
}

// admit returns who has to leave for the newcomer; nil is nobody.
func (c *crowd) admit(m *member) (oldest *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting.Len()+c.asking.Len() >= c.most {
		first := c.waiting.Front()
		if first == nil {
			first = c.asking.Front()
		}
		oldest = first.Value.(*member)
		c.move(oldest, nil)
	}
	c.move(m, &c.waiting)
	return oldest
}

// note hears from the server what becomes of a connection.
func (c *crowd) note(conn net.Conn, state http.ConnState) {
	m := conn.(*member)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case m.in == nil:
	case state == http.StateActive:
		c.move(m, &c.asking)
	case state == http.StateIdle:
		c.move(m, &c.waiting)
	}
}

// move puts a member last in a list, or nowhere.
func (c *crowd) move(m *member, to *list.List) {
	if m.in != nil {
		m.in.Remove(m.place)
	}
	if m.in = to; to != nil {
		m.place = to.PushBack(m)
	}
}

func (m *member) Close() error {
	m.crowd.mu.Lock()
	m.crowd.move(m, nil)
	m.crowd.mu.Unlock()
	return m.Conn.Close()
}

// CloseWrite is looked for by net/http: without it a client that is still
// sending a body gets a reset instead of the answer (golang.org/issue/3595).
func (m *member) CloseWrite() error {
	if half, ok := m.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

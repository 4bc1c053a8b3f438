package query

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// connLimit limits the number of connections. When one more arrives, the connection that
// has been idle longest is closed; if all are being served, the one that takes longest.
// So a new request is always served, even beside a flood of connections that send or read
// nothing: an orchestrator would kill a process whose health it cannot query.
//
// Connections of blocked queries are outside of that limit, and have one of their own.
type connLimit struct {
	maximum, maximumBlocked int

	mu      sync.Mutex
	waiting list.List // of *member without a request; longest first
	asking  list.List // of *member being served; longest first
	blocked list.List // of *member whose query is or was blocked, until it is answered
}

// member is one connection.
type member struct {
	net.Conn
	connLimit *connLimit

	// Guarded by connLimit's lock.
	list    *list.List // waiting, asking or blocked; nil once removed
	element *list.Element
}

// join adds a connection without a request.
func (c *connLimit) join(conn net.Conn) *member {
	m := &member{Conn: conn, connLimit: c}
	if oldest := c.admit(m); oldest != nil {
		_ = oldest.Close() // it is removed even on error
	}
	return m
}

// admit adds m and returns the connection to be closed for it, or nil.
func (c *connLimit) admit(m *member) (oldest *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting.Len()+c.asking.Len() >= c.maximum {
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

// note is called by the server when a connection changes its state.
func (c *connLimit) note(conn net.Conn, state http.ConnState) {
	m := memberOf(conn)
	if c.settle(m, state) {
		_ = m.Close() // it is removed even on error
	}
}

// settle moves a member to the list of its state. It reports whether it must be closed
// instead: after a blocked query it would exceed the limit, and others were there before.
func (c *connLimit) settle(m *member, state http.ConnState) (surplus bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case m.list == nil:
	case state == http.StateActive:
		c.move(m, &c.asking)
	case state == http.StateIdle && m.list == &c.blocked && c.waiting.Len()+c.asking.Len() >= c.maximum:
		return true
	case state == http.StateIdle:
		c.move(m, &c.waiting)
	}
	return false
}

// block takes a member that is being served out of the limit until it is idle again, which
// it is not before its answer has been sent. It returns false if too many are.
func (m *member) block() bool {
	c := m.connLimit
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.blocked.Len() >= c.maximumBlocked {
		return false
	}
	if m.list != nil {
		c.move(m, &c.blocked)
	}
	return true
}

// move appends a member to a list, or removes it if the list is nil.
func (c *connLimit) move(m *member, to *list.List) {
	if m.list != nil {
		m.list.Remove(m.element)
	}
	if m.list = to; to != nil {
		m.element = to.PushBack(m)
	}
}

func (m *member) Close() error {
	m.connLimit.mu.Lock()
	m.connLimit.move(m, nil)
	m.connLimit.mu.Unlock()
	return m.Conn.Close()
}

// CloseWrite is used by net/http: without it a client that is still sending a body gets
// a reset instead of the answer (golang.org/issue/3595).
func (m *member) CloseWrite() error {
	if half, ok := m.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

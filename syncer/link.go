package syncer

import (
	"context"
	"sync"
	"time"
)

// link is one period of being connected with a session.
type link struct {
	up   chan struct{} // closed when there is a session; the fields below are set then
	down chan struct{} // closed when the connection is lost

	server  string
	session int64
	conn    *conn // for requests of our own; nil in tests without one
	// heard is when the server was last heard, reason why the link is down; they are set
	// before down is closed.
	heard  time.Time
	reason string
}

func newLink() *link {
	return &link{up: make(chan struct{}), down: make(chan struct{})}
}

func (l *link) over() bool {
	select {
	case <-l.down:
		return true
	default:
		return false
	}
}

// links holds the current link or, while disconnected, the next one.
type links struct {
	mu          sync.Mutex
	link        *link
	established bool
}

// establish makes the next link the current one.
func (ls *links) establish(server string, session int64, c *conn) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.link.server, ls.link.session, ls.link.conn = server, session, c
	ls.established = true
	close(ls.link.up)
}

// lose ends the current link and reports whether there was one.
func (ls *links) lose(heard time.Time, reason string) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if !ls.established {
		return false
	}
	ls.link.heard, ls.link.reason = heard, reason
	close(ls.link.down)
	ls.link, ls.established = newLink(), false
	return true
}

// get returns the current or next link, and whether it is the current one.
func (ls *links) get() (l *link, established bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.link, ls.established
}

// each calls do with each link as it comes up, until ctx is done. do returns when its
// link is down.
func (ls *links) each(ctx context.Context, do func(*link)) {
	for l := ls.await(ctx); l != nil; l = ls.await(ctx) {
		do(l)
	}
}

// await returns the next link that is up, or nil when ctx is done.
func (ls *links) await(ctx context.Context) *link {
	l, _ := ls.get()
	select {
	case <-l.up:
		return l
	case <-ctx.Done():
		return nil
	}
}

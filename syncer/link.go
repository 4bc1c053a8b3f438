package syncer

import (
	"context"
	"sync"
	"time"
)

// link is one stretch of being connected with a session.
type link struct {
	up   chan struct{} // closed when there is a session; the fields below are set then
	down chan struct{} // closed when the connection is lost

	server  string
	session int64
	// heard is when the server was last heard; it is set before down is closed.
	heard time.Time
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

// links holds the present link or, while disconnected, the coming one.
type links struct {
	mu          sync.Mutex
	link        *link
	established bool
}

// establish makes the coming link the present one.
func (ls *links) establish(server string, session int64) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.link.server, ls.link.session = server, session
	ls.established = true
	close(ls.link.up)
}

// lose ends the present link, over which the server was last heard at that time, and
// tells whether there was one.
func (ls *links) lose(heard time.Time) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if !ls.established {
		return false
	}
	ls.link.heard = heard
	close(ls.link.down)
	ls.link, ls.established = newLink(), false
	return true
}

// get returns the present or coming link, and whether it is the present one.
func (ls *links) get() (l *link, established bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.link, ls.established
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

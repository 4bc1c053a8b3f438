package syncer

import (
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// calls lets requests through to the library until it is closed.
//
// A request that is queued in the very moment of the library's Close is given
// up there; if its write fails and the connection is cleaned up, it is given up
// twice more, into a channel that holds two: the library's loop then hangs
// forever, with a lock held. So nothing may be on its way in at Close.
type calls struct {
	tree tree

	mu     sync.Mutex
	closed bool
	inside int
	empty  chan struct{} // closed when closed and nothing is inside
}

func newCalls(t tree) *calls { return &calls{tree: t, empty: make(chan struct{})} }

// close refuses new calls and waits until there are none, at most for patience:
// one that is still inside then waits for its answer.
func (c *calls) close(patience time.Duration) {
	c.mu.Lock()
	c.closed = true
	if c.inside == 0 {
		close(c.empty)
	}
	c.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.empty:
	case <-timer.C:
	}
}

func (c *calls) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return zk.ErrClosing
	}
	c.inside++
	return nil
}

func (c *calls) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inside--
	if c.closed && c.inside == 0 {
		close(c.empty)
	}
}

func (c *calls) Children(path string) ([]string, *zk.Stat, error) {
	if err := c.enter(); err != nil {
		return nil, nil, err
	}
	defer c.leave()
	return c.tree.Children(path)
}

func (c *calls) ChildrenW(path string) ([]string, *zk.Stat, <-chan zk.Event, error) {
	if err := c.enter(); err != nil {
		return nil, nil, nil, err
	}
	defer c.leave()
	return c.tree.ChildrenW(path)
}

func (c *calls) ExistsW(path string) (bool, *zk.Stat, <-chan zk.Event, error) {
	if err := c.enter(); err != nil {
		return false, nil, nil, err
	}
	defer c.leave()
	return c.tree.ExistsW(path)
}

package syncer

import (
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// calls passes requests to the library until it is closed.
//
// A request that is queued at the very moment of the library's Close is answered with
// an error there. If its write fails and the connection is cleaned up, it is answered
// twice more, into a channel with room for two: the library's loop then hangs forever,
// with a lock held. So no request may be about to be queued at Close.
type calls struct {
	tree tree

	mu     sync.Mutex
	closed bool
	inside int
	empty  chan struct{} // closed when closed and inside is 0
}

func newCalls(t tree) *calls { return &calls{tree: t, empty: make(chan struct{})} }

// close rejects new calls and waits, at most for patience, until none are inside. A call
// still inside after that waits for its answer.
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

func (c *calls) Exists(path string) (bool, *zk.Stat, error) {
	if err := c.enter(); err != nil {
		return false, nil, err
	}
	defer c.leave()
	return c.tree.Exists(path)
}

func (c *calls) Get(path string) ([]byte, *zk.Stat, error) {
	if err := c.enter(); err != nil {
		return nil, nil, err
	}
	defer c.leave()
	return c.tree.Get(path)
}

func (c *calls) GetW(path string) ([]byte, *zk.Stat, <-chan zk.Event, error) {
	if err := c.enter(); err != nil {
		return nil, nil, nil, err
	}
	defer c.leave()
	return c.tree.GetW(path)
}

func (c *calls) Create(path string, data []byte, flags int32, acl []zk.ACL) (string, error) {
	if err := c.enter(); err != nil {
		return "", err
	}
	defer c.leave()
	return c.tree.Create(path, data, flags, acl)
}

func (c *calls) Delete(path string, version int32) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	return c.tree.Delete(path, version)
}

func (c *calls) Multi(ops ...any) ([]zk.MultiResponse, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.leave()
	return c.tree.Multi(ops...)
}

package syncer

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// examineEvery is the shortest time between two requests, which are sent one at a time:
	// this must cost less than following the groups.
	examineEvery = time.Millisecond
	// examineAfter is the pause before the first request about new names: the commands to
	// HAProxy must not compete with it for ZooKeeper and the CPU.
	examineAfter = 100 * time.Millisecond
	// examineLater is the pause after a failed request.
	examineLater = time.Second
)

// inspector asks ZooKeeper which session owns the nodes of the instances of all groups:
// lists do not contain that. It outlives links and sessions; one goroutine at a time runs
// it.
type inspector struct {
	wake chan struct{} // receives a token when there is something to do

	mu    sync.Mutex
	queue []*owners     // groups with wanted names, the next one first
	idle  chan struct{} // closed while the queue is empty
}

func newInspector() *inspector {
	i := &inspector{wake: make(chan struct{}, 1), idle: make(chan struct{})}
	close(i.idle)
	return i
}

// run examines wanted names over one session until ctx is done.
func (i *inspector) run(ctx context.Context, t tree, ls *links) {
	ls.each(ctx, func(l *link) { i.work(ctx, t, l) })
}

// work returns when the link is down or ctx is done.
func (i *inspector) work(ctx context.Context, t tree, l *link) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.down:
			return
		case <-pause.C:
		}
		o, name := i.next()
		if o == nil {
			select {
			case <-ctx.Done():
				return
			case <-l.down:
				return
			case <-i.wake:
			}
			pause.Reset(examineAfter)
			continue
		}
		if ctx.Err() != nil || l.over() {
			return
		}
		pause.Reset(o.examine(t, name))
	}
}

// next returns what to examine next, nil if nothing; groups take turns.
func (i *inspector) next() (*owners, string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.queue) == 0 {
		return nil, ""
	}
	o := i.queue[0]
	i.queue = append(i.queue[1:], o)
	return o, o.wanted[0]
}

// examine looks up the owner of a name, and returns the pause before the next request.
// Like all requests of a session, it waits for the answer as long as the connection
// lives.
func (o *owners) examine(t tree, name string) time.Duration {
	exists, stat, err := t.Exists(o.path + "/" + name)
	if isLoss(err) {
		return examineLater
	}
	// A node that may not be read, or has just gone, does not count as persistent.
	o.answer(name, err == nil && exists && outlivesSessions(stat))
	return examineEvery
}

// enqueue and remove are called with the mutex held.
func (i *inspector) enqueue(o *owners) {
	if o.queued {
		return
	}
	if len(i.queue) == 0 {
		i.idle = make(chan struct{})
	}
	o.queued = true
	i.queue = append(i.queue, o)
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

func (i *inspector) remove(o *owners) {
	if !o.queued {
		return
	}
	o.queued = false
	for at, other := range slices.Backward(i.queue) { // the group examined last is at the end
		if other == o {
			i.queue = slices.Delete(i.queue, at, at+1)
			break
		}
	}
	if len(i.queue) == 0 {
		close(i.idle)
	}
}

// settled returns a channel that is closed once nothing waits to be examined.
func (i *inspector) settled() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.idle
}

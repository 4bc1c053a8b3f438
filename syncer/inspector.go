package syncer

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// examineTogether is how many requests are sent at a time: their answers arrive together,
	// which takes a fraction of the CPU time of as many single requests.
	examineTogether = 10
	// The first examineFast names are examined at one in fastEvery, others at one in
	// slowEvery: this must cost less than following the groups. Groups take turns, so that
	// the first names of all groups are examined soon.
	examineFast = 1000
	fastEvery   = time.Millisecond
	slowEvery   = 100 * time.Millisecond
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

	pace pace // of run
}

// pace limits the requests. Those that were not sent for a while may be sent fast, up to
// examineFast.
type pace struct {
	hurry bool // all of them are sent fast
	spent int
	at    time.Time // the last call of next
}

// next returns the pause after n requests.
func (p *pace) next(n int, now time.Time) time.Duration {
	if earned := now.Sub(p.at) / slowEvery; earned < examineFast {
		p.spent = max(0, p.spent-int(earned))
	} else {
		p.spent = 0
	}
	p.at, p.spent = now, p.spent+n
	if p.hurry || p.spent <= examineFast {
		return time.Duration(n) * fastEvery
	}
	return time.Duration(n) * slowEvery
}

// examination is a name to be examined.
type examination struct {
	owners *owners
	name   string
}

func newInspector(hurry bool) *inspector {
	i := &inspector{wake: make(chan struct{}, 1), idle: make(chan struct{}), pace: pace{hurry: hurry}}
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
		batch := i.next()
		if len(batch) == 0 {
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
		wait := i.pace.next(len(batch), time.Now())
		if !examineAll(t, batch) {
			wait = examineLater
		}
		pause.Reset(wait)
	}
}

// next returns what to examine next; groups take turns.
func (i *inspector) next() (batch []examination) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for round, more := 0, true; more; round++ {
		more = false
		for _, o := range i.queue {
			if len(batch) == examineTogether {
				break
			}
			if round < len(o.wanted) {
				batch, more = append(batch, examination{o, o.wanted[round]}), true
			}
		}
	}
	served := min(len(batch), len(i.queue))
	i.queue = append(i.queue[served:], i.queue[:served]...)
	return batch
}

// examineAll looks up the owners of names. Like all requests of a session, it waits for
// the answers as long as the connection lives. It returns false if it was lost.
func examineAll(t tree, batch []examination) bool {
	var asking sync.WaitGroup
	lost := make([]bool, len(batch))
	for at, e := range batch {
		asking.Go(func() { lost[at] = !e.examine(t) })
	}
	asking.Wait()
	return !slices.Contains(lost, true)
}

// examine returns false if the connection was lost.
func (e examination) examine(t tree) bool {
	exists, stat, err := t.Exists(e.owners.path + "/" + e.name)
	if isLoss(err) {
		return false
	}
	// A node that may not be read, or has just gone, does not count as persistent.
	e.owners.answer(e.name, err == nil && exists && outlivesSessions(stat))
	return true
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

package syncer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/go-zookeeper/zk"
)

// get reads the data of children, with a watch on each if watch is true, and calls take
// with each answer, one at a time, until there is an error. Many nodes are read by one
// request, if the server can: it takes the requests of a connection one by one.
func (p *payloads) get(ctx context.Context, t tree, names []string, watch bool, take func(name string, r reading) error) error {
	var taking sync.Mutex
	one := func(name string, r reading) error {
		taking.Lock()
		defer taking.Unlock()
		return take(name, r)
	}
	if p.rearm {
		if err := p.watchAgain(ctx); err != nil {
			return err
		}
	}
	if len(names) == 1 || !p.conn.readsMany() { // for one child that is one request instead of two
		return p.each(ctx, len(names), func(i int) error {
			var r reading
			if watch {
				r.data, _, _, r.err = t.GetW(p.path + "/" + names[i]) // its event arrives by fire
			} else {
				r.data, _, r.err = t.Get(p.path + "/" + names[i])
			}
			return one(names[i], r)
		})
	}
	p.ours = p.ours || watch && len(names) > 0
	parts := p.divide(names)
	return p.each(ctx, len(parts), func(i int) error { return p.getMany(ctx, parts[i], watch, one) })
}

// divide divides children into parts that fit into a request.
func (p *payloads) divide(names []string) (parts [][]string) {
	first, length := 0, 0
	for i, name := range names {
		length += len(p.path) + 1 + len(name)
		if i-first == maxMultiRead || i > first && length > maxPaths {
			parts = append(parts, names[first:i])
			first, length = i, len(p.path)+1+len(name)
		}
	}
	if first < len(names) {
		parts = append(parts, names[first:])
	}
	return parts
}

func (p *payloads) paths(names []string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = p.path + "/" + name
	}
	return paths
}

// getMany reads the data of children by one request. Those whose data is too long together
// are read in halves.
func (p *payloads) getMany(ctx context.Context, names []string, watch bool, take func(name string, r reading) error) error {
	all, zxid, err := p.conn.readData(ctx, p.paths(names))
	switch half := len(names) / 2; {
	case errors.Is(err, errListTooLong) && half == 0:
		all = []reading{{err: err}}
	case errors.Is(err, errListTooLong):
		return errors.Join(p.getMany(ctx, names[:half], watch, take), p.getMany(ctx, names[half:], watch, take))
	case err != nil:
		return err
	}
	var read []string
	for i, r := range all {
		if r.err == nil || errors.Is(r.err, errListTooLong) {
			read = append(read, names[i])
		}
	}
	if watch && len(read) > 0 {
		if err := p.conn.watchData(ctx, zxid, p.paths(read)); err != nil {
			return err
		}
	}
	p.noteSeen(zxid)
	for i, r := range all {
		if err := take(names[i], r); err != nil {
			return err
		}
	}
	return nil
}

// watchAgain sets the watches of a session again over its next connection. Those fire whose
// events were missed in between.
func (p *payloads) watchAgain(ctx context.Context) error {
	names := make([]string, 0, len(p.children))
	for name := range p.children {
		names = append(names, name)
	}
	parts, since := p.divide(names), p.lastSeen()
	err := p.each(ctx, len(parts), func(i int) error { return p.conn.watchData(ctx, since, p.paths(parts[i])) })
	p.rearm = err != nil
	return err
}

func (p *payloads) lastSeen() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// noteSeen records the zxid of an answer: the events of all changes up to it have arrived.
// Where a watch was not set yet, its child is read again if the connection ends before.
func (p *payloads) noteSeen(zxid int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = max(p.seen, zxid)
}

// each calls do for each of n reads, several at a time, until one fails.
func (p *payloads) each(ctx context.Context, n int, do func(i int) error) error {
	var (
		next    atomic.Int64
		mu      sync.Mutex
		failed  error
		reading sync.WaitGroup
	)
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if failed == nil {
			failed = err
		}
		next.Store(int64(n))
	}
	for range min(readsEach, n) {
		reading.Go(func() {
			for {
				at := next.Add(1) - 1
				if at >= int64(n) {
					return
				}
				select {
				case p.reads <- struct{}{}:
				case <-ctx.Done():
					fail(zk.ErrClosing)
					return
				}
				err := do(int(at))
				<-p.reads
				if err != nil {
					fail(err)
					return
				}
			}
		})
	}
	reading.Wait()
	return failed
}

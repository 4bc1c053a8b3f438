package syncer

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// maxReads bounds the reads of data in flight, of all groups of a proxy: each answer may
	// have a megabyte. readsEach bounds those of one group.
	maxReads  = 64
	readsEach = 16
)

// payloads has what the children of one group say in their data, as far as their format
// needs it. Like a group it outlives links and sessions. One goroutine at a time uses it,
// except for fire.
//
// It is level-triggered like the lists: an event only means that the data of a child must
// be read again, one read for each change of one child. Only the data's meaning is kept.
type payloads struct {
	path    string
	decoder decode.Decoder
	reads   chan struct{} // has maxReads elements; shared by all groups

	session  int64                // over which the data of children was read and is watched
	conn     *conn                // the one that is up
	ours     bool                 // the watches are not the library's, which sets its own again
	rearm    bool                 // they must be set again over conn
	children map[string]inference // by name
	sample   string               // a child whose data tells whether names of its kind say everything
	telling  bool                 // they do not
	changed  bool                 // something changed since the last delivery

	mu    sync.Mutex
	seen  int64 // the zxid up to which events of ours have arrived
	fired map[string]bool
	wake  chan struct{} // receives a token when fired has grown
}

// inference is what a child says.
type inference struct {
	registration decode.Registration
	reason       *decode.Reason // nil: it is a registration
}

func (i inference) equal(other inference) bool {
	if i.reason == nil || other.reason == nil {
		return i.reason == other.reason && i.registration == other.registration
	}
	return *i.reason == *other.reason
}

func newPayloads(path string, d decode.Decoder, reads chan struct{}) *payloads {
	return &payloads{path: path, decoder: d, reads: reads, children: make(map[string]inference), fired: make(map[string]bool), wake: make(chan struct{}, 1)}
}

// fire records that the data of a child has changed, or that the child was deleted: one of
// the same name may take its place before the list is read.
func (p *payloads) fire(name string) {
	p.mu.Lock()
	p.fired[name] = true
	p.mu.Unlock()
	p.awake()
}

func (p *payloads) awake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// takeFired returns the children of which an event has arrived, and forgets them.
func (p *payloads) takeFired() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	fired := p.fired
	p.fired = make(map[string]bool)
	return fired
}

// follow is called with each link. Another session has no watches.
func (p *payloads) follow(l *link) {
	another := p.conn != l.conn
	p.conn = l.conn
	if p.session == l.session {
		if another && p.ours && len(p.children) > 0 {
			p.rearm = true
			p.awake()
		}
		return
	}
	p.session, p.rearm = l.session, false
	for name := range p.children {
		p.fire(name)
	}
}

// childrenOf returns what the children with these names say, without those whose data is
// needed and that are gone.
func (p *payloads) childrenOf(names []string) []intake.Child {
	children := make([]intake.Child, 0, len(names))
	for _, name := range names {
		said, read := p.children[name]
		switch {
		case read:
		case p.wants(name):
			continue
		default:
			said.registration, said.reason = p.decoder.Decode(name, nil)
		}
		children = append(children, intake.Child{Name: name, Registration: said.registration, Reason: said.reason})
	}
	return children
}

// wants reports whether the data of a child has to be read.
func (p *payloads) wants(name string) bool {
	switch p.decoder.Needs(name) {
	case decode.Always:
		return true
	case decode.Sample:
		return p.telling || name == p.sample
	}
	return false
}

// update reads what is needed of the children with these names, which are sorted, and was
// not read, or has changed. On error what was read stays, and the rest is read the next
// time.
func (p *payloads) update(ctx context.Context, t tree, names []string) error {
	for name := range p.children {
		if _, listed := slices.BinarySearch(names, name); !listed {
			delete(p.children, name)
			p.changed = true
		}
	}
	if err := p.takeSample(ctx, t, names); err != nil {
		return err
	}
	fired := p.takeFired()
	var wanted []string
	for _, name := range names {
		if _, read := p.children[name]; p.wants(name) && (!read || fired[name]) {
			wanted = append(wanted, name)
		}
	}
	return p.readAll(ctx, t, wanted)
}

// takeSample reads a child whose name may say everything, unless one is known.
func (p *payloads) takeSample(ctx context.Context, t tree, names []string) error {
	if _, listed := slices.BinarySearch(names, p.sample); p.telling || listed && p.sample != "" {
		return nil
	}
	p.sample = ""
	for _, name := range names {
		if p.decoder.Needs(name) == decode.Sample {
			p.sample = name
			return p.readAll(ctx, t, []string{name})
		}
	}
	return nil
}

// refresh reads the children of which an event has arrived, among names.
func (p *payloads) refresh(ctx context.Context, t tree, names []string) error {
	told := p.telling
	fired := p.takeFired()
	var wanted []string
	for name := range fired {
		if _, listed := slices.BinarySearch(names, name); listed && p.wants(name) {
			wanted = append(wanted, name)
		}
	}
	err := p.readAll(ctx, t, wanted)
	if err == nil && p.telling != told {
		return p.update(ctx, t, names)
	}
	return err
}

// verify reads the data of all children again, without watches, and reports whether any
// has changed without an event. Such children are to be refreshed.
func (p *payloads) verify(ctx context.Context, t tree) (missed bool, err error) {
	names := make([]string, 0, len(p.children))
	for name := range p.children {
		names = append(names, name)
	}
	err = p.get(ctx, t, names, false, func(name string, r reading) error {
		now, gone, err := p.infer(name, r.data, r.err)
		if err != nil {
			return err
		}
		if gone || !now.equal(p.children[name]) {
			missed = true
			p.fire(name)
		}
		return nil
	})
	return missed, err
}

// readAll reads the data of children and leaves a watch on each.
func (p *payloads) readAll(ctx context.Context, t tree, names []string) error {
	read := make(map[string]bool, len(names))
	err := p.get(ctx, t, names, true, func(name string, r reading) error {
		now, gone, err := p.infer(name, r.data, r.err)
		if err != nil {
			return err
		}
		read[name] = true
		before, known := p.children[name]
		if gone {
			delete(p.children, name)
			p.changed = p.changed || known
			return nil
		}
		if !known || !now.equal(before) {
			p.children[name] = now
			p.changed = true
		}
		if !p.telling && p.decoder.Needs(name) == decode.Sample && decode.Telling(r.data) {
			p.telling = true
		}
		return nil
	})
	if err != nil {
		for _, name := range names {
			if !read[name] {
				p.fire(name)
			}
		}
	}
	return err
}

// infer decodes an answer. A child that may not be read, or whose data is too long, is one
// that says nothing; an error concerns all children.
func (p *payloads) infer(name string, data []byte, err error) (i inference, gone bool, _ error) {
	switch {
	case err == nil:
		i.registration, i.reason = p.decoder.Decode(name, data)
	case errors.Is(err, zk.ErrNoNode):
		return inference{}, true, nil
	case errors.Is(err, zk.ErrNoAuth):
		i.reason = &decode.Reason{Kind: registry.Unreadable, Problem: "no permission to read its data (NoAuth)", Remedy: "grant read on the node to the user of zk.auth, or to world:anyone"}
	case tooLong(err) == errListTooLong: //nolint:errorlint // it is a sentinel
		i.reason = &decode.Reason{Kind: registry.Payload, Problem: "its data is longer than 1 MB", Remedy: "correct what the instance registers"}
	default:
		return inference{}, false, err
	}
	return i, false, nil
}

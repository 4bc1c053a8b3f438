package main

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// board shows the query room what the proxies are doing now, in the
// configuration's order. A proxy that is started again gets new rooms, in its
// old place.
type board struct{ places atomic.Pointer[[]*place] }

type place struct {
	name   string
	absent query.Proxy
	now    atomic.Pointer[present]
}

// arrange makes the places those of the plans; proxies that have one keep it.
// One goroutine calls it.
func (b *board) arrange(plans []*plan) {
	var places []*place
	for _, pl := range plans {
		p := b.place(pl.Name)
		if p == nil {
			p = newPlace(pl)
		}
		places = append(places, p)
	}
	b.places.Store(&places)
}

func newPlace(pl *plan) *place {
	s := &registry.Snapshot{Proxy: pl.Name}
	for _, g := range pl.Groups {
		s.Groups = append(s.Groups, registry.Group{Name: g.Name})
		s.Waiting = append(s.Waiting, g.Name)
	}
	return &place{name: pl.Name, absent: absent{s}}
}

// place is that of a proxy; nil when it has none.
func (b *board) place(name string) *place {
	for _, p := range b.all() {
		if p.name == name {
			return p
		}
	}
	return nil
}

func (b *board) all() []*place {
	if places := b.places.Load(); places != nil {
		return *places
	}
	return nil
}

// serves returns nil when all proxies do.
func (b *board) serves() error {
	for _, p := range b.proxies() {
		if err := p.Ready(); err != nil {
			return err
		}
	}
	return nil
}

// proxies is what the query room asks for.
func (b *board) proxies() []query.Proxy {
	places := b.all()
	out := make([]query.Proxy, len(places))
	for i, p := range places {
		out[i] = p.absent
		if now := p.now.Load(); now != nil {
			out[i] = now
		}
	}
	return out
}

// reload asks every proxy that is there for a reload.
func (b *board) reload(cause string) {
	for _, p := range b.all() {
		if now := p.now.Load(); now != nil {
			now.Reload(cause)
		}
	}
}

// release lets go the instances of a group that are held.
func (b *board) release(proxy, group string) (held int, err error) {
	p := b.place(proxy)
	if p == nil {
		return 0, fmt.Errorf("there is no proxy %q", proxy)
	}
	now := p.now.Load()
	if now == nil {
		return 0, fmt.Errorf("the proxy %q has not been started yet", proxy)
	}
	return now.Release(group)
}

func (p *place) put(c *hactl.Controller, h *supervisor.HAProxy, zk *following) {
	p.now.Store(&present{c, h, zk})
}

// present is a proxy whose rooms are there.
type present struct {
	*hactl.Controller
	haproxy *supervisor.HAProxy
	zk      *following
}

func (p *present) Generations() []supervisor.Generation { return p.haproxy.Generations() }

func (p *present) Contact() registry.Contact { return p.zk.Contact() }

// absent is a proxy that has not been started yet.
type absent struct{ snapshot *registry.Snapshot }

func (a absent) Snapshot() *registry.Snapshot { return a.snapshot }

func (a absent) Contact() registry.Contact {
	return registry.Contact{Problem: "the proxy has not been started yet"}
}

func (a absent) Generations() []supervisor.Generation { return nil }

func (a absent) Ready() error { return errors.New("the proxy has not been started yet") }

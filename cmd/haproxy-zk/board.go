package main

import (
	"errors"
	"sync/atomic"

	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

// board shows the query room what the proxies are doing now. A proxy that is
// started again gets new rooms, in its old place.
type board struct{ places []place }

type place struct {
	absent query.Proxy
	now    *atomic.Pointer[present]
}

func newBoard(plans []*plan) *board {
	b := &board{}
	for _, pl := range plans {
		s := &registry.Snapshot{Proxy: pl.Name}
		for _, g := range pl.Groups {
			s.Groups = append(s.Groups, registry.Group{Name: g.Name})
			s.Waiting = append(s.Waiting, g.Name)
		}
		b.places = append(b.places, place{absent{s}, new(atomic.Pointer[present])})
	}
	return b
}

func (b *board) put(i int, c *hactl.Controller, zk *syncer.Syncer) {
	b.places[i].now.Store(&present{c, zk})
}

// proxies is what the query room asks for, in the configuration's order.
func (b *board) proxies() []query.Proxy {
	out := make([]query.Proxy, len(b.places))
	for i, p := range b.places {
		out[i] = p.absent
		if now := p.now.Load(); now != nil {
			out[i] = now
		}
	}
	return out
}

// present is a proxy whose rooms are there.
type present struct {
	*hactl.Controller
	zk *syncer.Syncer
}

func (p *present) Contact() registry.Contact { return p.zk.Contact() }

// absent is a proxy that has not been started yet.
type absent struct{ snapshot *registry.Snapshot }

func (a absent) Snapshot() *registry.Snapshot { return a.snapshot }

func (a absent) Contact() registry.Contact {
	return registry.Contact{Problem: "the proxy has not been started yet"}
}

func (a absent) Ready() error { return errors.New("the proxy has not been started yet") }

package query

import (
	"sync"
	"sync/atomic"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// edition is the documents of all proxies at one moment. It is immutable.
type edition struct {
	documents []*document
	index     map[string]int
	whole     []byte
}

// of tells whether e was made of exactly these snapshots, in this order.
func (e *edition) of(proxies []Proxy) bool {
	if e == nil || len(e.documents) != len(proxies) {
		return false
	}
	for i, p := range proxies {
		if e.documents[i].of != p.Snapshot() {
			return false
		}
	}
	return true
}

// next is the edition after e; what has not changed is taken over.
func (e *edition) next(proxies []Proxy) *edition {
	known := make(map[*registry.Snapshot]*document)
	if e != nil {
		for _, d := range e.documents {
			known[d.of] = d
		}
	}
	n := &edition{index: make(map[string]int, len(proxies)), whole: []byte{'{'}}
	for i, p := range proxies {
		snapshot := p.Snapshot()
		d := known[snapshot]
		if d == nil {
			d = newDocument(snapshot)
		}
		n.documents = append(n.documents, d)
		n.index[snapshot.Proxy] = i
		if i > 0 {
			n.whole = append(n.whole, ',')
		}
		n.whole = append(n.whole, d.member()...)
	}
	n.whole = append(n.whole, "}\n"...)
	return n
}

// documents keeps the newest edition. Its methods may be called from any goroutine.
type documents struct {
	proxies func() []Proxy

	mu      sync.Mutex // held by the one who makes the next edition
	current atomic.Pointer[edition]
}

// read returns the proxies and the edition made of what they serve now, in the
// same order.
func (d *documents) read() ([]Proxy, *edition) {
	proxies := d.proxies()
	if e := d.current.Load(); e.of(proxies) {
		return proxies, e
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	// Asked again: whoever waited for the lock would bring an old list back.
	proxies = d.proxies()
	e := d.current.Load()
	if !e.of(proxies) {
		e = e.next(proxies)
		d.current.Store(e)
	}
	return proxies, e
}

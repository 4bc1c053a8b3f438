package query

import (
	"sync"
	"sync/atomic"
)

// edition holds the documents of all proxies at one moment. It is immutable.
type edition struct {
	documents []*document
	index     map[string]int
	whole     func() []byte // built on first use
}

// of reports whether e was made from exactly these snapshots, in this order.
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

// next returns the edition after e, which reuses unchanged documents.
func (e *edition) next(proxies []Proxy) *edition {
	known := make(map[string]*document)
	if e != nil {
		for _, d := range e.documents {
			known[d.of.Proxy] = d
		}
	}
	n := &edition{index: make(map[string]int, len(proxies))}
	for i, p := range proxies {
		snapshot := p.Snapshot()
		d := known[snapshot.Proxy]
		if d == nil || d.of != snapshot {
			d = newDocument(snapshot, d)
		}
		n.documents = append(n.documents, d)
		n.index[snapshot.Proxy] = i
	}
	n.whole = sync.OnceValue(func() []byte {
		whole := []byte{'{'}
		for i, d := range n.documents {
			if i > 0 {
				whole = append(whole, ',')
			}
			whole = append(whole, d.member()...)
		}
		return append(whole, "}\n"...)
	})
	return n
}

// documents keeps the latest edition. Any goroutine may call its methods.
type documents struct {
	proxies func() []Proxy

	mu      sync.Mutex // held while the next edition is built
	current atomic.Pointer[edition]
}

// read returns the proxies and the edition of their current snapshots, in the same
// order.
func (d *documents) read() ([]Proxy, *edition) {
	proxies := d.proxies()
	if e := d.current.Load(); e.of(proxies) {
		return proxies, e
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	// Read again: after waiting for the lock the list may be outdated.
	proxies = d.proxies()
	e := d.current.Load()
	if !e.of(proxies) {
		e = e.next(proxies)
		d.current.Store(e)
	}
	return proxies, e
}

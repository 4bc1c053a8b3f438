package query

import (
	"sync"
	"sync/atomic"
	"time"
)

// edition holds the documents of all proxies at one moment. It is immutable.
type edition struct {
	documents []*document
	places    map[string]int // of the proxies' documents
	whole     *page          // built on first use
	// number is that of the edition. A page has the number of the edition in which it last
	// changed as its index.
	number uint64
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
	n := &edition{places: make(map[string]int, len(proxies)), number: firstNumber()}
	if e != nil {
		n.number = e.number + 1
	}
	same := e != nil && len(e.documents) == len(proxies)
	for i, p := range proxies {
		snapshot := p.Snapshot()
		d := known[snapshot.Proxy]
		if d == nil || d.of != snapshot {
			d = newDocument(snapshot, d, n.number)
		}
		n.documents = append(n.documents, d)
		n.places[snapshot.Proxy] = i
		same = same && e.documents[i].whole == d.whole
	}
	if same {
		n.whole = e.whole
		return n
	}
	n.whole = newPage(typeJSON, n.number, func() []byte {
		whole := []byte{'{'}
		for i, d := range n.documents {
			if i > 0 {
				whole = append(whole, ',')
			}
			whole = append(whole, d.member()...)
		}
		return append(whole, "}\n"...)
	})
	n.whole.browsed = true
	return n
}

// firstNumber returns the number of a process's first edition: the microseconds since 1970.
// So an index that a client kept from an earlier process is below all of this one's, or
// above them if the clock was set back, but never equal to one of other content. It is
// below 2^53, so that every JSON reader keeps it exactly.
func firstNumber() uint64 { return uint64(max(1, time.Now().UnixMicro())) } //nolint:gosec // it is positive

// page returns the page of a document; nil if there is none.
func (e *edition) page(of place) *page {
	if of == (place{}) {
		return e.whole
	}
	i, known := e.places[of.proxy]
	switch {
	case !known:
		return nil
	case of.group == "":
		return e.documents[i].whole
	}
	return e.documents[i].groups[of.group].page
}

// index returns the index of a document; 0 if there is none.
func (e *edition) index(of place) uint64 {
	if p := e.page(of); p != nil {
		return p.index
	}
	return 0
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

// has reports whether there is a group of these names.
func (d *documents) has(proxy, group string) bool {
	_, e := d.read()
	return group != "" && e.page(place{proxy, group}) != nil
}

// index returns the current index of a document; 0 if there is none.
func (d *documents) index(of place) uint64 {
	_, e := d.read()
	return e.index(of)
}

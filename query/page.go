package query

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"sync"

	"github.com/haproxy-zk/haproxy-zk/httpserver"
)

// minCompressed is the length of the shortest text that is compressed: anything shorter
// travels in one packet in any case.
const minCompressed = 1400

// page is an answer with status 200 that changes rarely. Everything made from its text is
// made on first use and kept. Any goroutine may call its methods.
type page struct {
	// index is that of the edition in which the page last changed; 0 if the page has none.
	index  uint64
	text   func() []byte
	plain  func() *form
	zipped func() *form
	// browsed is true if a browser is sent elsewhere from the page's address.
	browsed bool
}

// form is a page in one encoding: its body and, as values for the response, its headers.
type form struct {
	body                                            []byte
	compresses                                      bool
	contentType, length, tag, index, encoding, vary []string
}

// newPage returns a page. text is called once at most; nobody may change its result.
func newPage(contentType string, index uint64, text func() []byte) *page {
	p := &page{index: index, text: sync.OnceValue(text)}
	p.plain = sync.OnceValue(func() *form {
		body := p.text()
		sum := sha256.Sum256(body)
		f := &form{
			body:        body,
			contentType: []string{contentType},
			length:      []string{strconv.Itoa(len(body))},
			// Weak, so that one tag stands for both encodings.
			tag: []string{`W/"` + hex.EncodeToString(sum[:16]) + `"`},
		}
		f.compresses = len(body) >= minCompressed
		switch {
		case f.compresses && p.browsed:
			f.vary = []string{"Accept, Accept-Encoding"}
		case f.compresses:
			f.vary = []string{"Accept-Encoding"}
		case p.browsed:
			f.vary = []string{"Accept"}
		}
		if index > 0 {
			f.index = []string{strconv.FormatUint(index, 10)}
		}
		return f
	})
	p.zipped = sync.OnceValue(func() *form {
		f := *p.plain()
		f.body = httpserver.Compress(f.body)
		f.length = []string{strconv.Itoa(len(f.body))}
		f.encoding = []string{"gzip"}
		return &f
	})
	return p
}

// answer answers with the page, in the encoding that the request prefers, or with status
// 304 if the client has it already.
func (p *page) answer(w http.ResponseWriter, r *http.Request) {
	f := p.plain()
	h := w.Header()
	h["Etag"] = f.tag
	if f.index != nil {
		h["Haproxy-Zk-Index"] = f.index
	}
	if f.vary != nil {
		h["Vary"] = f.vary
	}
	if known := r.Header["If-None-Match"]; known != nil && matches(known, f.tag[0]) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if accepted := r.Header["Accept-Encoding"]; f.compresses && accepted != nil && httpserver.AcceptsGzip(accepted) {
		f = p.zipped()
		h["Content-Encoding"] = f.encoding
	}
	h["Content-Type"] = f.contentType
	h["Content-Length"] = f.length
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(f.body)
}

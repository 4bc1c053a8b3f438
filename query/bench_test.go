package query

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// nowhere discards an answer.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

func BenchmarkQuery(b *testing.B) {
	var groups []*registry.Group
	for i := range 1000 {
		groups = append(groups, group(fmt.Sprintf("web-%d", i), "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"))
	}
	p := serving("ngboss", groups...)
	s := newServer(p)
	r := httptest.NewRequest(http.MethodGet, "/ngboss/web-500", nil)
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			w := nowhere{make(http.Header)}
			for pb.Next() {
				all(s).ServeHTTP(w, r)
			}
		})
	})
	b.Run("changed", func(b *testing.B) {
		b.ReportAllocs()
		w := nowhere{make(http.Header)}
		for b.Loop() {
			p.snapshot.Store(&registry.Snapshot{Proxy: "ngboss", Groups: groups})
			all(s).ServeHTTP(w, r)
		}
	})
}

// BenchmarkEvents measures an answer with all events of a full ring.
func BenchmarkEvents(b *testing.B) {
	s, ring := eventServer()
	for n := range 20_000 {
		ring.Append(entered("ngboss", "web-ngboss", n%250))
	}
	r := httptest.NewRequest(http.MethodGet, "/events", nil)
	b.ReportAllocs()
	for b.Loop() {
		w := discardedResponse{header: make(http.Header)}
		all(s).ServeHTTP(&w, r)
		b.SetBytes(int64(w.written))
	}
}

package query

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"/", "//", "*", "/ngboss", "/ngboss/", "/ngboss/web-ngboss", "/ngboss/web-ngboss//", "/a/b/c/d/e",
		"/healthz", "/readyz", "/metrics", "/ui/", "/../etc/passwd", "/%2e%2e/%2F", "/%FF%00", "/?a=b",
		"/ng%62oss", "/\u2028<script>", "/" + strings.Repeat("ü", 200), "http://host", "http://host/ngboss",
	} {
		f.Add(path)
	}
	s := newServer(seed()...)
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL = u
		w := httptest.NewRecorder()
		s.answer(w, r)
		switch names := split(u.EscapedPath()); {
		case len(names) == 1 && (names[0] == "healthz" || names[0] == "metrics"):
			return
		case w.Code != http.StatusOK && w.Code != http.StatusNotFound:
			t.Errorf("status %d", w.Code)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("body %q", w.Body)
		}
		if w.Code == http.StatusNotFound && w.Body.Len() > 1000 {
			t.Errorf("%d bytes of body", w.Body.Len())
		}
	})
}

// nowhere takes an answer without keeping it.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

func BenchmarkQuery(b *testing.B) {
	var groups []registry.Group
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
				s.answer(w, r)
			}
		})
	})
	b.Run("changed", func(b *testing.B) {
		b.ReportAllocs()
		w := nowhere{make(http.Header)}
		for b.Loop() {
			p.snapshot.Store(&registry.Snapshot{Proxy: "ngboss", Groups: groups})
			s.answer(w, r)
		}
	})
}

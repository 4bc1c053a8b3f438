package query

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestNextRequestSeesChange(t *testing.T) {
	a, b := serving("a", group("web", "10.0.0.1:1")), serving("b", group("web"))
	proxies := []Proxy{a, b}
	s := newServer()
	s.documents.proxies = func() []Proxy { return proxies }
	expect := func(target, want string) {
		t.Helper()
		if diff := cmp.Diff(want+"\n", get(s, target).Body.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
	}
	expect("/", `{"a":{"web":{"instances":["10.0.0.1:1"]}},"b":{"web":{"instances":[]}}}`)
	first := s.documents.current.Load()

	b.snapshot.Store(&registry.Snapshot{Proxy: "b", Groups: []*registry.Group{group("web", "10.0.0.2:2")}})
	expect("/b/web", `{"b":{"web":{"instances":["10.0.0.2:2"]}}}`)
	expect("/", `{"a":{"web":{"instances":["10.0.0.1:1"]}},"b":{"web":{"instances":["10.0.0.2:2"]}}}`)
	second := s.documents.current.Load()
	if first.documents[0] != second.documents[0] {
		t.Error("the document of a was built again although only b changed")
	}

	proxies = []Proxy{b, a}
	expect("/", `{"b":{"web":{"instances":["10.0.0.2:2"]}},"a":{"web":{"instances":["10.0.0.1:1"]}}}`)
	expect("/a", `{"a":{"web":{"instances":["10.0.0.1:1"]}}}`)
	third := s.documents.current.Load()
	if !slices.Contains(second.documents, third.documents[0]) || !slices.Contains(second.documents, third.documents[1]) {
		t.Error("a document was built again although only the order changed")
	}

	proxies = []Proxy{a}
	expect("/", `{"a":{"web":{"instances":["10.0.0.1:1"]}}}`)
	expect("/b", `{"error":"no proxy \"b\"","proxies":["a"]}`)
	fourth := s.documents.current.Load()
	expect("/", `{"a":{"web":{"instances":["10.0.0.1:1"]}}}`)
	if s.documents.current.Load() != fourth {
		t.Error("an edition was made although nothing changed")
	}
}

func TestSlowRequestDoesNotRestoreOldList(t *testing.T) {
	a, b := serving("a"), serving("b")
	s := newServer()
	calls := 0
	s.documents.proxies = func() []Proxy {
		calls++
		if calls > 1 {
			return []Proxy{a, b}
		}
		// While this request is blocked, b is added and another request sees it.
		get(s, "/")
		return []Proxy{a}
	}
	if diff := cmp.Diff(`{"a":{},"b":{}}`+"\n", get(s, "/").Body.String()); diff != "" {
		t.Error(diff)
	}
}

// A reader that has seen a snapshot never sees an older one.
func TestConcurrentReaders(t *testing.T) {
	const last = 2000
	snapshot := func(n int) *registry.Snapshot {
		return &registry.Snapshot{Proxy: "p", Groups: []*registry.Group{group("web", fmt.Sprintf("10.0.0.1:%d", n))}}
	}
	p := serving("p")
	p.snapshot.Store(snapshot(1))
	s := newServer(p, serving("other"))

	var done atomic.Bool
	var readers sync.WaitGroup
	for i := range 8 {
		target, format := "/p/web", "{\"p\":{\"web\":{\"instances\":[\"10.0.0.1:%d\"]}}}\n"
		if i%2 == 0 {
			target, format = "/", "{\"p\":{\"web\":{\"instances\":[\"10.0.0.1:%d\"]}},\"other\":{}}\n"
		}
		readers.Go(func() {
			for seen := 0; !done.Load() || seen < last; {
				body := get(s, target).Body.String()
				var n int
				if _, err := fmt.Sscanf(body, format, &n); err != nil || fmt.Sprintf(format, n) != body {
					t.Errorf("%s answered %q", target, body)
					return
				}
				if n < seen {
					t.Errorf("%s answered %d after %d", target, n, seen)
					return
				}
				seen = n
			}
		})
	}
	for n := 2; n <= last; n++ {
		p.snapshot.Store(snapshot(n))
	}
	done.Store(true)
	readers.Wait()
}

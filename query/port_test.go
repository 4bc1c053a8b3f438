package query

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/events"
)

func askAt(p *port, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

// An address beside HTTP_DETAIL_ADDR answers what was there before it, and says where the
// rest is, without its address.
func TestDetailIsAtItsOwnAddress(t *testing.T) {
	t.Parallel()
	p := serving("p", group("web", "10.0.0.1:1"))
	p.configFile = configFile(t, "global\n")
	s := newServer(p)
	s.events = events.NewRing()
	for i := range s.table.routes {
		rt := &s.table.routes[i]
		target := strings.NewReplacer("{proxy}", "p", "{group}", "web").Replace(rt.path)
		method := http.MethodGet
		if strings.HasSuffix(target, "/stream") {
			method = http.MethodHead // it has no end
		}
		if w := ask(s, method, target); w.Code != http.StatusOK {
			t.Errorf("%s: status %d where everything is", target, w.Code)
		}
		w := askAt(&port{Server: s}, target)
		if !rt.detail {
			if w.Code != http.StatusOK {
				t.Errorf("%s: status %d", target, w.Code)
			}
			continue
		}
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", target, w.Code)
		}
		expectProblem(t, w.Body.Bytes(), elsewhere())
	}
	if w := askAt(&port{Server: s}, "/a/b/c"); strings.Contains(w.Body.String(), "openapi.json") {
		t.Errorf("it lists what is elsewhere: %s", w.Body)
	}
}

// So are answers to a parameter of detail, for a path that is at both.
func TestDetailParameterIsAtItsOwnAddress(t *testing.T) {
	t.Parallel()
	s := live(mixed())
	for _, target := range []string{"/p?detail", "/p?passing", "/p/web?detail"} {
		if w := askAt(&port{Server: s}, target); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", target, w.Code)
		}
		if w := get(s, target); w.Code != http.StatusOK {
			t.Errorf("%s: status %d where everything is", target, w.Code)
		}
	}
}

package query

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// configFile writes a configuration of HAProxy.
func configFile(tb testing.TB, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "p.cfg")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func TestConfigurationIsMasked(t *testing.T) {
	t.Parallel()
	p := serving("p", group("web"))
	p.configFile = configFile(t, "global\n    stats auth admin:canary\n")
	s := newServer(p)
	w := get(s, "/p/config")
	if want := "global\n    stats auth [secret]\n"; w.Code != http.StatusOK || w.Body.String() != want || w.Header().Get("Content-Type") != typeText {
		t.Errorf("status %d, %v, %q", w.Code, w.Header(), w.Body)
	}
	tag := w.Header().Get("Etag")
	if r := askWith(s, "/p/config", "If-None-Match: "+tag); r.StatusCode != http.StatusNotModified {
		t.Errorf("status %d", r.StatusCode)
	}
	if err := os.WriteFile(p.configFile, []byte("global\n    maxconn 10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(p.configFile, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if w := get(s, "/p/config"); w.Body.String() != "global\n    maxconn 10\n" || w.Header().Get("Etag") == tag {
		t.Errorf("after a reload: %q", w.Body)
	}
	if err := os.Remove(p.configFile); err != nil {
		t.Fatal(err)
	}
	if w := get(s, "/p/config"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("without a file: status %d", w.Code)
	}
	if w := get(s, "/q/config"); w.Code != http.StatusNotFound {
		t.Errorf("of no proxy: status %d", w.Code)
	}
}

// A group of that name was there first.
func TestGroupHidesConfiguration(t *testing.T) {
	t.Parallel()
	p := serving("p", group("config", "10.0.0.1:1"))
	p.configFile = configFile(t, "global\n")
	s := newServer(p)
	if w := get(s, "/p/config"); w.Body.String() != `{"p":{"config":{"instances":["10.0.0.1:1"]}}}`+"\n" {
		t.Errorf("%q", w.Body)
	}
	w := askAt(&port{Server: s}, "/p/config")
	if w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
}

// Only the files of present proxies are remembered.
func TestConfigurationsOfRemovedProxiesAreForgotten(t *testing.T) {
	t.Parallel()
	p, q := serving("p"), serving("q")
	p.configFile, q.configFile = configFile(t, "global\n"), configFile(t, "global\n")
	proxies := []Proxy{p}
	s := newServer()
	s.documents.proxies = func() []Proxy { return proxies }
	get(s, "/p/config")
	proxies = []Proxy{q}
	get(s, "/q/config")
	if len(s.configurations.kept) != 1 {
		t.Errorf("%v", s.configurations.kept)
	}
}

package query

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// wide returns a proxy whose document is worth compressing.
func wide() *proxy {
	var groups []*registry.Group
	for i := range 50 {
		groups = append(groups, group(fmt.Sprintf("web-%d", i), "10.0.0.1:80", "10.0.0.2:80"))
	}
	return serving("p", groups...)
}

// askWith sends a GET with headers, each as "Name: value".
func askWith(s *Server, target string, headers ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	all(s).ServeHTTP(w, r)
	return w.Result()
}

func TestKnownDocumentIsNotSentAgain(t *testing.T) {
	t.Parallel()
	p := wide()
	s := newServer(p)
	for _, target := range []string{"/", "/p", "/p/web-1", "/openapi.json"} {
		tag := askWith(s, target).Header.Get("Etag")
		for _, known := range []string{tag, strings.TrimPrefix(tag, "W/"), "*", `"x", W/"y",` + tag, ` ,, "x",` + tag} {
			for _, accept := range []string{"identity", "gzip"} {
				r := askWith(s, target, "If-None-Match: "+known, "Accept-Encoding: "+accept)
				if body, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusNotModified || len(body) > 0 || r.Header.Get("Etag") != tag || r.Header.Get("Content-Type") != "" {
					t.Errorf("%s, %s: status %d, %v, %d bytes", target, known, r.StatusCode, r.Header, len(body))
				}
			}
		}
		// A malformed tag, or one of something else, is answered in full.
		for _, known := range []string{"", "x", `"`, "W/", strings.Trim(tag, `W/"`), `"x"`, `"x` + tag, "**", strings.Repeat(`"x",`, 2000)} {
			if r := askWith(s, target, "If-None-Match: "+known); r.StatusCode != http.StatusOK {
				t.Errorf("%s, %.20s: status %d", target, known, r.StatusCode)
			}
		}
	}
	tag := askWith(s, "/p").Header.Get("Etag")
	p.snapshot.Store(&registry.Snapshot{Proxy: "p", Groups: []*registry.Group{group("web-1", "10.0.0.1:80", "10.0.0.2:80")}})
	if r := askWith(s, "/p", "If-None-Match: "+tag); r.StatusCode != http.StatusOK || r.Header.Get("Etag") == tag {
		t.Errorf("after a change: status %d, %v", r.StatusCode, r.Header)
	}
	// The tag is that of the content: another haproxy-zk has the same.
	if a, b := askWith(newServer(wide()), "/").Header.Get("Etag"), askWith(newServer(wide()), "/").Header.Get("Etag"); a != b {
		t.Errorf("tags %s and %s of the same document", a, b)
	}
}

func TestLargeDocumentsAreCompressed(t *testing.T) {
	t.Parallel()
	s := newServer(wide())
	for _, c := range []struct {
		accept string
		zipped bool
	}{
		{"gzip", true},
		{"GZIP", true},
		{"x-gzip", true},
		{"deflate, gzip;q=0.5, br", true},
		{"*", true},
		{"gzip;q=1.000", true},
		{"gzip ; q=0.1", true},
		{"identity;q=0.5, gzip;q=0.5", true},
		{"", false},
		{"identity", false},
		{"gzip;q=0", false},
		{"gzip;q=0.000, *", false},
		{"*;q=0", false},
		{"identity;q=1, gzip;q=0.5", false},
		{"deflate, br", false},
		{"gzip;q=2", false},
		{"gzip;q=", false},
		{"gzip;q=NaN", false},
		{"gzip;q=-1", false},
		{"gzip;level=9", false},
		{";;;,,,=", false},
		{strings.Repeat("gzip;q=0.0001,", 1000), false},
	} {
		r := askWith(s, "/p", "Accept-Encoding: "+c.accept)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if zipped := r.Header.Get("Content-Encoding") == "gzip"; zipped != c.zipped || r.Header.Get("Vary") != "Accept-Encoding" || r.ContentLength != int64(len(body)) {
			t.Errorf("%.30s: %v", c.accept, r.Header)
		}
		if c.zipped {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if want := get(s, "/p").Body.String(); string(body) != want {
			t.Errorf("%.30s: %q, want %q", c.accept, body, want)
		}
	}
	if r := askWith(s, "/p/web-1", "Accept-Encoding: gzip"); r.Header.Get("Content-Encoding") != "" || r.Header.Get("Vary") != "" {
		t.Errorf("a document of one packet: %v", r.Header)
	}
}

// Whatever many requests ask for, a page is made once.
func TestPageIsMadeOnce(t *testing.T) {
	t.Parallel()
	var made atomic.Int32
	p := newPage(typeJSON, 1, func() []byte {
		made.Add(1)
		return bytes.Repeat([]byte("x"), 2000)
	})
	zipped := p.zipped()
	for range 3 {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		p.answer(w, r)
	}
	if made.Load() != 1 || p.zipped() != zipped {
		t.Errorf("the text was made %d times", made.Load())
	}
}

package query

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"
)

// FuzzPath checks that a path gets a document or a short error.
func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"/", "//", "*", "/ngboss", "/ngboss/", "/ngboss/web-ngboss", "/ngboss/web-ngboss//", "/a/b/c/d/e",
		"/healthz", "/readyz", "/metrics", "/ui/", "/../etc/passwd", "/%2e%2e/%2F", "/%FF%00", "/?a=b", "/?index=1&wait=1s", "/ngboss/config",
		"/ng%62oss", "/\u2028<script>", "/" + strings.Repeat("ü", 200), "http://host", "http://host/ngboss",
	} {
		f.Add(path)
	}
	proxies := seed()
	for _, p := range proxies {
		p.(*proxy).configFile = configFile(f, "global\n")
	}
	s := newServer(proxies...)
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL = u
		w := httptest.NewRecorder()
		all(s).ServeHTTP(w, r)
		checkAnswer(t, w.Result())
		if w.Code != http.StatusOK && w.Code != http.StatusNotFound && (w.Code != http.StatusBadRequest || u.RawQuery == "") {
			t.Errorf("status %d", w.Code)
		}
	})
}

// FuzzRequest checks that any bytes on a connection get nothing or complete, valid
// answers, and that the connection ends.
func FuzzRequest(f *testing.F) {
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /ngboss HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n",
		"HEAD /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhello",
	} {
		f.Add([]byte(request))
	}
	f.Add([]byte("GET /ngboss?top=errors&limit=9 HTTP/1.0\r\n\r\n"))
	f.Add([]byte("GET /?index=946684800000000&wait=1m HTTP/1.1\r\nHost: x\r\n\r\nGET /?index=9 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip;q=\r\nIf-None-Match: W/\"\r\n\r\n"))
	f.Fuzz(func(t *testing.T, request []byte) {
		synctest.Test(t, func(t *testing.T) {
			l := newPipes()
			stop := start(t, newServer(seed()...), l)
			conn := l.dial()
			defer conn.Close()
			go func() { _, _ = conn.Write(request) }() // it may be closed before everything is read
			begun := time.Now()
			answers, err := io.ReadAll(conn)
			if took := time.Since(begun); err != nil || took > maxWait+maxWait/jitterPart+75*time.Second {
				t.Errorf("it ends after %v: %v", took, err)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			if bytes.Contains(request, []byte(http.MethodHead)) {
				return // its answers have the length of a body they lack
			}
			for r := bufio.NewReader(bytes.NewReader(answers)); ; {
				if _, err := r.Peek(1); errors.Is(err, io.EOF) {
					return
				}
				answer, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatalf("no answer in %q: %v", answers, err)
				}
				checkAnswer(t, answer)
			}
		})
	})
}

// checkAnswer fails the test if an answer is not one of ours, or could be more than text.
func checkAnswer(t *testing.T, r *http.Response) {
	t.Helper()
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains([]int{100, 200, 304, 400, 404, 405, 417, 431, 501, 503, 505}, r.StatusCode) {
		t.Errorf("status %d", r.StatusCode)
	}
	kind := r.Header.Get("Content-Type")
	if kind == typeJSON && !json.Valid(body) {
		t.Errorf("body %q", body)
	}
	if r.Header.Get("Content-Security-Policy") != "" || r.Header.Get("Cache-Control") == "no-cache" {
		return // the page and its files, which room ui tests
	}
	if len(body) > 0 && kind != typeJSON && !strings.HasPrefix(kind, "text/plain") {
		t.Errorf("type %q of %q", kind, body)
	}
	if !utf8.Valid(body) || bytes.ContainsFunc(body, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }) {
		t.Errorf("body %q", body)
	}
	if r.StatusCode != http.StatusOK && len(body) > 1000 {
		t.Errorf("%d bytes of body", len(body))
	}
	for name, values := range r.Header {
		switch name {
		case "Age", "Allow", "Cache-Control", "Connection", "Content-Length", "Content-Type", "Date", "X-Content-Type-Options",
			"Content-Encoding", "Etag", "Haproxy-Zk-Index", "Retry-After", "Vary", "Www-Authenticate":
		default:
			t.Errorf("header %s: %q", name, values)
		}
	}
}

package register

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func mustCheck(t *testing.T, text string) Check {
	t.Helper()
	c, err := ParseCheck(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

func TestParseCheck(t *testing.T) {
	t.Parallel()
	for text, port := range map[string]uint16{
		"": 0, "none": 0, "http://127.0.0.1:8080/health": 8080, "https://web/": 443, "http://web": 80, "tcp://127.0.0.1:5432": 5432, "tcp://[::1]:80/": 80,
	} {
		if got := mustCheck(t, text).Port(); got != port {
			t.Errorf("%s: port %d, want %d", text, got, port)
		}
	}
	for _, text := range []string{"8080", "/health", "tcp://web", "tcp://web:80/path", "ftp://web:21", "http://", "http://user:secret@web/", "http://web/%zz", "udp://web:1", "tcp://:80"} {
		if c, err := ParseCheck(text); err == nil {
			t.Errorf("%q is the check %v", text, c)
		}
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	followed := false
	handler := http.NewServeMux()
	handler.HandleFunc("/ok", func(http.ResponseWriter, *http.Request) {})
	handler.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/target", http.StatusFound) })
	handler.HandleFunc("/target", func(http.ResponseWriter, *http.Request) { followed = true })
	handler.HandleFunc("/sick", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	handler.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer secure.Close()
	addr := netip.MustParseAddrPort(plain.Listener.Addr().String())
	for text, problem := range map[string]string{
		"":                          "",
		"none":                      "",
		plain.URL + "/ok":           "",
		plain.URL + "/moved":        "",
		plain.URL + "/endless":      "",
		plain.URL + "/sick":         "status 503",
		plain.URL + "/none":         "status 404",
		secure.URL + "/ok":          "",
		"tcp://" + addr.String():    "",
		"tcp://127.0.0.1:1":         "refused",
		"http://127.0.0.1:1/":       "refused",
		"https://" + addr.String():  "HTTP response to HTTPS client",
		"http://" + silent(t) + "/": "deadline exceeded",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		err := mustCheck(t, text).probe(addr)(ctx)
		cancel()
		if problem == "" && err != nil || problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("%s: %v, want %q", text, err, problem)
		}
	}
	if followed {
		t.Error("a redirect was followed")
	}
}

// silent returns the address of a server that accepts connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

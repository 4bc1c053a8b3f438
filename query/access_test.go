package query

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// secure is a directory with the files of an [Access].
type secure struct {
	t     *testing.T
	files AccessFiles
}

func newSecure(t *testing.T) secure {
	t.Helper()
	dir := t.TempDir()
	s := secure{t, AccessFiles{Token: filepath.Join(dir, "token"), Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}}
	s.write(s.files.Token, "canary-token\n")
	s.certify()
	return s
}

func (s secure) write(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// certify writes a new pair, which has expired and is for another host.
func (s secure) certify() {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"lb.example"}, NotAfter: time.Now().Add(-time.Hour)}
	cert, certErr := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	private, keyErr := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(certErr, keyErr); err != nil {
		s.t.Fatal(err)
	}
	s.write(s.files.Certificate, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	s.write(s.files.Key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

func (s secure) load() *Access {
	s.t.Helper()
	a, err := s.files.Load()
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// serve serves with the access of files until the test ends, and returns the address.
func (s secure) serve(server *Server) (addr string) {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	server.SetAccess(s.load())
	stop := start(s.t, server, l)
	s.t.Cleanup(func() {
		if err := stop(); err != nil {
			s.t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestToken(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	server := newServer(serving("p", group("web")))
	server.SetAccess(s.load())
	for _, target := range []string{"/", "/p", "/p/web", "/p/config", "/openapi.json", "/metrics", "/nothing", "/a/b/c", "/?x=1"} {
		for _, header := range []string{"", "Bearer", "Bearer ", "Bearer canary", "Bearer canary-token2", "Basic canary-token", "canary-token", "Bearer canary-token canary-token"} {
			r := askWith(server, target, "Authorization: "+header)
			body, _ := io.ReadAll(r.Body)
			if r.StatusCode != http.StatusUnauthorized || r.Header.Get("Www-Authenticate") != "Bearer" || bytes.Contains(body, []byte("canary")) || bytes.Contains(body, []byte("web")) {
				t.Errorf("%s with %q: status %d, %s", target, header, r.StatusCode, body)
			}
		}
	}
	for _, header := range []string{"Bearer canary-token", "bearer canary-token", "Bearer  canary-token"} {
		if r := askWith(server, "/p/web", "Authorization: "+header); r.StatusCode != http.StatusOK {
			t.Errorf("with %q: status %d", header, r.StatusCode)
		}
	}
	// Probes have none.
	for _, target := range []string{"/healthz", "/readyz"} {
		if r := askWith(server, target); r.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", target, r.StatusCode)
		}
	}
}

func TestAccessFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(s *secure)
		says  string
	}{
		"no token file":    {func(s *secure) { s.files.Token = "/nowhere" }, "HTTP_TOKEN_FILE: open /nowhere"},
		"an empty token":   {func(s *secure) { s.write(s.files.Token, "\n") }, "HTTP_TOKEN_FILE"},
		"two lines":        {func(s *secure) { s.write(s.files.Token, "canary\ncanary\n") }, "HTTP_TOKEN_FILE"},
		"a space":          {func(s *secure) { s.write(s.files.Token, "canary canary") }, "HTTP_TOKEN_FILE"},
		"a long token":     {func(s *secure) { s.write(s.files.Token, strings.Repeat("canary", 1000)) }, "more than 4096 bytes"},
		"no certificate":   {func(s *secure) { s.files.Certificate = "/nowhere" }, "HTTP_TLS_CERT: open /nowhere"},
		"no key":           {func(s *secure) { s.files.Key = "/nowhere" }, "HTTP_TLS_KEY: open /nowhere"},
		"a key alone":      {func(s *secure) { s.files.Certificate = "" }, "belong together"},
		"no PEM":           {func(s *secure) { s.write(s.files.Key, "canary") }, "are no pair"},
		"of another pair":  {func(s *secure) { key := readFile(t, s.files.Key); s.certify(); s.write(s.files.Key, key) }, "are no pair"},
		"a directory":      {func(s *secure) { s.files.Token = "/" }, "HTTP_TOKEN_FILE"},
		"an endless token": {func(s *secure) { s.files.Token = "/dev/zero" }, "more than 4096 bytes"},
	} {
		s := newSecure(t)
		c.spoil(&s)
		if _, err := s.files.Load(); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (AccessFiles{}).Load(); err != nil {
		t.Errorf("without files: %v", err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestClientOfSecuredPort(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	server := newServer(serving("p", group("web")))
	addr := s.serve(server)
	expect := func(what string, c Client, path string, code int, says string) {
		t.Helper()
		a, err := c.Get(t.Context(), path)
		if a.Code != code || (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: status %d, %v", what, a.Code, err)
		}
	}
	client := NewClient(addr, s.files)
	expect("a document", client, "/p/web", 200, "")
	expect("health", client, "/healthz", 200, "")
	expect("without the token", NewClient(addr, AccessFiles{Certificate: s.files.Certificate, Key: s.files.Key}), "/", 401, "")
	expect("in clear text", NewClient(addr, AccessFiles{}), "/healthz", 400, "")

	// The files are renewed, the server has not read them yet.
	s.certify()
	expect("another certificate", client, "/", 0, "is not that of HTTP_TLS_CERT")
	expect("health with another certificate", client, "/healthz", 200, "")
	s.write(s.files.Token, "canary-2\n")
	server.SetAccess(s.load())
	expect("the renewed files", client, "/", 200, "")
	s.write(s.files.Token, "canary-3\n")
	expect("another token", client, "/", 401, "")
	s.files.Token = "/nowhere"
	expect("no token file", NewClient(addr, s.files), "/", 0, "HTTP_TOKEN_FILE")
	expect("health without the token file", NewClient(addr, s.files), "/readyz", 200, "")
}

func TestOldTLSIsRejected(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	addr := s.serve(newServer())
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version, InsecureSkipVerify: true}) //nolint:gosec // that is tested
		if (err == nil) != ok {
			t.Errorf("version %x: %v", version, err)
		}
		if conn != nil {
			conn.Close()
		}
	}
}

// The limit of connections and blocked queries work through TLS as well.
func TestBlockedQueryThroughTLS(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	p := serving("p", group("web"))
	changed := make(chan struct{}, 1)
	server := newServer(p)
	server.changed = changed
	addr := s.serve(server)
	_, e := server.documents.read()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // that is not tested here
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr+"/?wait=10m&index="+e.whole.plain().index[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer canary-token")
	answer := make(chan error, 1)
	go func() {
		r, err := transport.RoundTrip(request)
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
		answer <- err
	}()
	for !server.watches.any() {
		select {
		case err := <-answer:
			t.Fatalf("not blocked: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	changedSnapshot := *p.Snapshot()
	changedSnapshot.Groups = nil
	p.snapshot.Store(&changedSnapshot)
	changed <- struct{}{}
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

// A client that does not finish its handshake is cut like one that does not finish its
// header.
func TestSilentTLSClientIsCut(t *testing.T) {
	access := newSecure(t).load()
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.SetAccess(access)
		l := newPipes()
		stop := start(t, s, l)
		conn := l.dial()
		begun := time.Now()
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("cut after %v", took)
		}
		conn.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

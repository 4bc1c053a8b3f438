package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// secured is a stage whose HTTP port has several addresses, a token and a certificate.
type secured struct {
	*stage
	plain     []string // HTTP_ADDR
	detail    string   // HTTP_DETAIL_ADDR
	token     string   // the file
	authority *rig.Authority
	pair      rig.Certificate
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{stage: newStage(t, shared.haproxies[0], nil)}
	s.connect()
	s.plain, s.detail = []string{s.http, fmt.Sprintf("127.0.0.1:%d", s.port())}, fmt.Sprintf("127.0.0.1:%d", s.port())
	s.http = strings.Join(s.plain, ",")
	s.token = filepath.Join(s.home, "token")
	s.write(s.token, "first-token\n")
	var err error
	if s.authority, err = rig.NewAuthority(s.home); err != nil {
		t.Fatal(err)
	}
	s.issue()
	return s
}

func (s *secured) write(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// issue writes a new certificate and its key.
func (s *secured) issue() {
	s.t.Helper()
	var err error
	if s.pair, err = s.authority.Issue("http", "127.0.0.1"); err != nil {
		s.t.Fatal(err)
	}
}

// does runs a command with the settings of the port.
func (s *secured) does(wantCode int, words string, args ...string) {
	s.t.Helper()
	s.commands(wantCode, words, append(args, "--http-detail-addr", s.detail, "--http-token-file", s.token, "--http-tls-cert", s.pair.Cert, "--http-tls-key", s.pair.Key)...)
}

// asks sends a request with a token, which may be empty, through TLS; serial is that of
// the server's certificate.
func (s *secured) asks(addr, path, token string) (code int, body, serial string) {
	s.t.Helper()
	ca, err := os.ReadFile(s.authority.File)
	if err != nil {
		s.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := http.Client{Timeout: within, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "https://"+addr+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(text), response.TLS.PeerCertificates[0].SerialNumber.String()
}

func (s *secured) expect(addr, path, token string, wantCode int, words string) {
	s.t.Helper()
	if code, body, _ := s.asks(addr, path, token); code != wantCode || !strings.Contains(body, words) {
		s.t.Errorf("%s%s with the token %q: status %d, want %d with %q: %.500s", addr, path, token, code, wantCode, words, body)
	}
}

// A token and a certificate protect every address, the commands know them, and renewed
// ones are used after a reload unless they are wrong.
func TestTokenAndTLSOfTheHTTPPort(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	a := s.app(front)
	s.does(0, "is running", "start")
	s.eventually("every worker serves it", func() error { return s.compareWorkers(front, a) })
	s.does(0, a.Addr(), "get", "ngboss/"+front)
	s.does(0, `"ready":true`, "status")
	s.does(0, "", "healthcheck")

	const token = "first-token"
	for _, addr := range append(s.plain, s.detail) {
		s.expect(addr, "/ngboss/"+front, token, http.StatusOK, a.Addr())
		s.expect(addr, "/metrics", token, http.StatusOK, "haproxyzk_build_info")
		for _, path := range []string{"/", "/metrics", "/openapi.json", "/ngboss/config", "/nothing"} {
			s.expect(addr, path, "", http.StatusUnauthorized, "HTTP_TOKEN_FILE")
			s.expect(addr, path, "other-token", http.StatusUnauthorized, "HTTP_TOKEN_FILE")
		}
		for _, path := range []string{"/healthz", "/readyz"} {
			s.expect(addr, path, "", http.StatusOK, "")
		}
	}
	for _, path := range []string{"/openapi.json", "/ngboss/config"} {
		for _, addr := range s.plain {
			s.expect(addr, path, token, http.StatusNotFound, "HTTP_DETAIL_ADDR")
		}
	}
	s.expect(s.detail, "/openapi.json", token, http.StatusOK, "3.1.0")
	s.expect(s.detail, "/ngboss/config", token, http.StatusOK, "stats auth [secret]\n")

	// Files that are wrong change nothing.
	_, _, before := s.asks(s.detail, "/healthz", "")
	key, err := os.ReadFile(s.pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	s.write(s.pair.Key, "no key")
	s.write(s.token, "second-token\n")
	s.does(2, "HTTP_TLS_KEY", "reload")
	s.expect(s.detail, "/readyz", "", http.StatusOK, "are no pair")
	s.expect(s.detail, "/", token, http.StatusOK, a.Addr())
	s.does(2, "HTTP_TLS_KEY", "restart")
	s.write(s.pair.Key, string(key))
	s.issue()
	s.does(0, "in effect", "reload")
	if _, _, now := s.asks(s.detail, "/healthz", ""); now == before {
		t.Errorf("the certificate %s is still used", now)
	}
	s.expect(s.detail, "/", token, http.StatusUnauthorized, "")
	s.expect(s.detail, "/", "second-token", http.StatusOK, a.Addr())
	s.does(0, "", "stop", "--haproxy")
}

// A thousand blocked queries are answered at a change, delay neither it nor others, and
// end with haproxy-zk.
func TestThousandBlockedQueries(t *testing.T) {
	someInTurn(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		transport := &http.Transport{MaxIdleConnsPerHost: 1100, DisableCompression: true}
		defer transport.CloseIdleConnections()
		ask := func(ctx context.Context, query string) (index, body string, err error) {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.http+"/ngboss/"+front+query, nil)
			if err != nil {
				return "", "", err
			}
			response, err := transport.RoundTrip(request)
			if err != nil {
				return "", "", err
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err == nil && response.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d: %s", response.StatusCode, text)
			}
			return response.Header.Get("Haproxy-Zk-Index"), string(text), err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 8*within) // of a dozen steps that take within each
		defer cancel()
		// changed registers another instance, and returns how long it took until every worker
		// served it.
		changed := func() (*rig.App, time.Duration) {
			b := s.unregistered(front)
			begun := time.Now()
			if err := b.Register(s.registry, s.node(front)); err != nil {
				t.Fatal(err)
			}
			s.eventually("every worker serves it", func() error { return s.compareWorkers(front, a, b) })
			return b, time.Since(begun)
		}
		b, alone := changed()
		s.retire(front, b)
		s.serves(front, a)

		const most = 1000
		index, _, err := ask(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		full := func(err error) bool {
			return err != nil && strings.Contains(err.Error(), "too many blocked queries")
		}
		block := func() (answered *sync.WaitGroup, failures chan error) {
			answered, failures = new(sync.WaitGroup), make(chan error, most)
			for range most {
				answered.Go(func() {
					var now string
					err := rig.Eventually(ctx, 8*within, func() (err error) {
						if now, _, err = ask(ctx, "?wait=10m&index="+index); full(err) {
							return err // the one below had its place
						}
						if err != nil || now == index {
							failures <- fmt.Errorf("index %s after %s: %w", now, index, err)
						}
						return nil
					})
					if err != nil {
						failures <- err
					}
				})
			}
			s.eventually("all are blocked", func() error {
				if _, _, err := ask(ctx, "?wait=1ms&index="+index); !full(err) {
					return fmt.Errorf("another query is accepted: %w", err)
				}
				return nil
			})
			return answered, failures
		}
		answered, failures := block()
		begun := time.Now()
		c, beside := changed()
		answered.Wait()
		t.Logf("a change took %v, beside %d blocked queries %v; all were answered after %v", alone, most, beside, time.Since(begun))
		close(failures)
		for err := range failures {
			t.Error(err)
		}
		s.serves(front, a, c)
		if index, _, err = ask(ctx, ""); err != nil {
			t.Fatal(err)
		}
		answered, _ = block()
		s.stopped() // which waits for none of them
		answered.Wait()
	})
}

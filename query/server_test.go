package query

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// start serves in the background; stop ends that and returns the result of Serve.
func start(t *testing.T, s *Server, l net.Listener) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Serve(ctx, Port{Listener: l, Detail: true}) }()
	return func() error {
		cancel()
		return <-result
	}
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Error(err)
	}
}

func TestServeOnLoopback(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, newServer(seed()...), l)
	url := "http://" + l.Addr().String() + "/ngboss/web-ngboss"

	get, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer get.Body.Close()
	body, err := io.ReadAll(get.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"ngboss":{"web-ngboss":{"instances":["10.238.99.243:32784","10.238.99.246:32800"]}}}` + "\n"
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Error(diff)
	}

	head, err := http.Head(url)
	if err != nil {
		t.Fatal(err)
	}
	defer head.Body.Close()
	if n, err := io.Copy(io.Discard, head.Body); n != 0 || err != nil {
		t.Errorf("HEAD gave %d bytes, %v", n, err)
	}
	if head.StatusCode != http.StatusOK || head.ContentLength != int64(len(want)) {
		t.Errorf("HEAD: status %d, length %d", head.StatusCode, head.ContentLength)
	}
	get.Header.Del("Date")
	head.Header.Del("Date")
	if diff := cmp.Diff(get.Header, head.Header); diff != "" {
		t.Errorf("headers (-GET +HEAD):\n%s", diff)
	}

	if err := stop(); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the port is still open after Serve returned")
	}
}

func TestBodyIsNotAwaited(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, newServer(), l)
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n",
		"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
	} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		send(t, c, request)
		if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.StatusCode != http.StatusMethodNotAllowed || !r.Close {
			t.Errorf("status %d, closes %v", r.StatusCode, r.Close)
		}
		c.Close()
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestOversizedHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		stop := start(t, newServer(), l)
		c := l.dial()
		go func() { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 64<<10)) }()
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", r.StatusCode)
		}
		c.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestSlowClientsAreCut(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, c := range []struct {
		name  string
		sends string
		reads bool
		after time.Duration
	}{
		{"says nothing", "", true, 5 * time.Second},
		{"never ends its header", "GET / HTTP/1.1\r\nHost: x\r\n", true, 5 * time.Second},
		{"stays after its answer", request, true, 60 * time.Second},
		{"does not read", request, false, 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				stop := start(t, newServer(seed()...), l)
				begin := time.Now()
				conn := l.dial()
				send(t, conn, c.sends)
				if !c.reads {
					<-time.After(c.after - time.Second)
					synctest.Wait()
					if _, err := conn.Read(make([]byte, 1)); err != nil {
						t.Errorf("cut too early: %v", err)
					}
					<-time.After(2 * time.Second)
				} else if _, err := io.Copy(io.Discard, conn); err != nil {
					t.Error(err)
				} else if took := time.Since(begin); took != c.after {
					t.Errorf("cut after %v, want %v", took, c.after)
				}
				synctest.Wait()
				if rest, _ := io.ReadAll(conn); len(rest) > 0 {
					t.Errorf("still open, gave %q", rest)
				}
				conn.Close()
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestShutdown(t *testing.T) {
	for _, c := range []struct {
		name     string
		request  time.Duration
		answered bool
		took     time.Duration
	}{
		{"a running request ends", time.Second, true, time.Second},
		{"a request that does not end is cut", time.Minute, false, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				s.metrics = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(c.request):
						_, _ = io.WriteString(w, "late\n")
					case <-r.Context().Done():
					}
				})
				l := newPipes()
				stop := start(t, s, l)
				conn := l.dial()
				send(t, conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
				synctest.Wait()

				answer := make(chan error, 1)
				go func() {
					r, err := http.ReadResponse(bufio.NewReader(conn), nil)
					if err == nil {
						_, err = io.ReadAll(r.Body)
					}
					answer <- err
				}()
				begin := time.Now()
				if err := stop(); err != nil {
					t.Error(err)
				}
				if err := <-answer; (err == nil) != c.answered {
					t.Errorf("the client got: %v", err)
				}
				// Shutdown looks whether all is idle every half second at most.
				if took := time.Since(begin); took < c.took || took > c.took+600*time.Millisecond {
					t.Errorf("took %v, want about %v", took, c.took)
				}
				conn.Close()
			})
		})
	}
}

func TestServeWithCanceledContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newServer().Serve(ctx, Port{Listener: l}); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is not closed: %v", err)
	}
}

func TestServeReportsFailedListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := newServer().Serve(t.Context(), Port{Listener: l}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

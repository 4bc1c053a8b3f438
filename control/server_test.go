package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/httpserver"
)

// serve runs a server until the end of the test and returns its client; stop ends it
// earlier and may be called once.
func serve(t *testing.T, o Options) (c *Client, stop func() error) {
	t.Helper()
	path := filepath.Join(socketDir(t), socketName)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	o.Logger = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(t.Context())
	ended, gone := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(gone)
		ended <- New(o).Serve(ctx, l)
	}()
	t.Cleanup(func() { cancel(); <-gone })
	return NewClient(path), func() error { cancel(); return <-ended }
}

func TestDetach(t *testing.T) {
	calls := make(chan struct{}, 2)
	c, stop := serve(t, Options{Level: new(slog.LevelVar), Detach: func() error { calls <- struct{}{}; return nil }})
	for range 2 {
		if err := c.Detach(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-calls
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := c.Detach(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

func TestRejectedDetachReportsReason(t *testing.T) {
	c, _ := serve(t, Options{Level: new(slog.LevelVar), Detach: func() error { return errors.New("it is PID 1") }})
	if err := c.Detach(t.Context()); err == nil || !strings.Contains(err.Error(), "it is PID 1") {
		t.Error(err)
	}
}

func TestLevel(t *testing.T) {
	level := new(slog.LevelVar)
	c, _ := serve(t, Options{Level: level})
	for _, want := range []slog.Level{slog.LevelDebug, slog.LevelWarn, slog.LevelError + 2, slog.LevelInfo} {
		if err := c.SetLevel(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Level(t.Context()); got != want || err != nil || level.Level() != want {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	for _, wrong := range []string{"", "loud", strings.Repeat("debug", 100)} {
		if _, err := c.call(t.Context(), http.MethodPut, "/loglevel", wrong); err == nil {
			t.Errorf("level %q was taken", wrong)
		}
	}
	if level.Level() != slog.LevelInfo {
		t.Errorf("level %v after refusals", level.Level())
	}
}

func TestUnknownPathsAreNotFound(t *testing.T) {
	c, _ := serve(t, Options{Level: new(slog.LevelVar), Detach: func() error { t.Error("detached"); return nil }})
	for _, ask := range []struct{ method, path string }{{"GET", "/detach"}, {"POST", "/loglevel"}, {"GET", "/"}, {"GET", "/metrics"}} {
		if _, err := c.call(t.Context(), ask.method, ask.path, ""); err == nil {
			t.Errorf("%s %s was answered", ask.method, ask.path)
		}
	}
	if text, err := c.call(t.Context(), "GET", "/debug/pprof/goroutine?debug=1", ""); err != nil || !strings.Contains(text, "goroutine profile") {
		t.Errorf("pprof: %q, %v", text, err)
	}
}

func TestPID(t *testing.T) {
	c, stop := serve(t, Options{Level: new(slog.LevelVar)})
	if pid, err := c.PID(t.Context()); pid != os.Getpid() || err != nil {
		t.Errorf("%d, %v", pid, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := c.PID(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

// A profile of a minute and a client that never finishes its request must not delay the
// end of the process.
func TestStopIsBounded(t *testing.T) {
	c, stop := serve(t, Options{Level: new(slog.LevelVar)})
	slow, err := net.Dial("unix", c.path)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "PUT /loglevel HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nde"); err != nil {
		t.Fatal(err)
	}
	profile, err := net.Dial("unix", c.path)
	if err != nil {
		t.Fatal(err)
	}
	defer profile.Close()
	if _, err := io.WriteString(profile, "GET /debug/pprof/trace?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(profile, make([]byte, 12)); err != nil { // it has begun
		t.Fatal(err)
	}
	begun := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > httpserver.Grace+2*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestServeReportsBrokenListener(t *testing.T) {
	l, err := Listen(filepath.Join(socketDir(t), socketName))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := New(Options{Logger: slog.New(slog.DiscardHandler)}).Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestRelease(t *testing.T) {
	c, _ := serve(t, Options{Level: new(slog.LevelVar), Release: func(proxy, group string) (int, error) {
		if proxy != "ngboss" || group != "web/a" {
			return 0, errors.New("there is no " + proxy + " with " + group)
		}
		return 3, nil
	}})
	if held, err := c.Release(t.Context(), "ngboss/web/a"); held != 3 || err != nil {
		t.Errorf("%d, %v", held, err)
	}
	for name, want := range map[string]string{
		"ngboss/b": "there is no ngboss with b", "": "PROXY/GROUP", "ngboss": "PROXY/GROUP", "/web": "PROXY/GROUP", "ngboss/": "PROXY/GROUP",
		"ngboss/" + strings.Repeat("x", 2000): "PROXY/GROUP",
	} {
		if _, err := c.Release(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v, want %q", name, err, want)
		}
	}
}

func TestReload(t *testing.T) {
	replies := make(chan error, 1)
	c, _ := serve(t, Options{Level: new(slog.LevelVar), Reload: func(context.Context) (string, error) { return "changed: web", <-replies }})
	for _, test := range []struct {
		reply   error
		invalid bool
		words   string
	}{
		{nil, false, ""},
		{fmt.Errorf("%w: line 5", ErrInvalid), true, "line 5"},
		{errors.New("no memory"), false, "no memory"},
		{context.DeadlineExceeded, false, "and continues"},
	} {
		replies <- test.reply
		summary, err := c.Reload(t.Context())
		if test.reply == nil {
			if summary != "changed: web" || err != nil {
				t.Errorf("%q, %v", summary, err)
			}
			continue
		}
		if err == nil || errors.Is(err, ErrInvalid) != test.invalid || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%v: %q, %v", test.reply, summary, err)
		}
	}
}

func TestStopEndsWaitForReload(t *testing.T) {
	begun := make(chan struct{})
	c, stop := serve(t, Options{Level: new(slog.LevelVar), Reload: func(ctx context.Context) (string, error) {
		close(begun)
		<-ctx.Done()
		return "", ctx.Err()
	}})
	failed := make(chan error, 1)
	go func() {
		_, err := c.Reload(t.Context())
		failed <- err
	}()
	<-begun
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil || errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

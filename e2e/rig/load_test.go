package rig_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]rig.LoadOptions{
		"another machine": {Addr: "192.0.2.1:80", KeepAlive: 1},
		"a host name":     {Addr: "localhost:80", KeepAlive: 1},
		"no clients":      {Addr: "127.0.0.1:80"},
		"negative rate":   {Addr: "127.0.0.1:80", Fresh: 1, Rate: -1},
	} {
		if _, err := rig.NewLoad(options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Every application answers in turn, with both kinds of clients, and nothing is lost.
func TestLoadCounts(t *testing.T) {
	t.Parallel()
	app := startApp(t, "web")
	load := startLoad(t, rig.LoadOptions{
		Addr: app.Addr(), KeepAlive: 2, Fresh: 2, Rate: 500, MaxRequests: 200,
		Targets: []rig.Target{{Path: "/a", App: "web"}, {Path: "/b"}},
	})
	err := rig.Eventually(t.Context(), time.Minute, func() error {
		if !load.Result().Exhausted {
			return errors.New("the load is still running")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	result := load.Stop()
	if result.Requests != 200 || result.Failures != 0 {
		t.Errorf("want 200 requests and no failures: %s", result)
	}
	if diff := cmp.Diff(map[string]int{app.Addr(): 200}, result.Instances); diff != "" {
		t.Errorf("answers by instance (-want +got):\n%s", diff)
	}
	if a, b := app.Served("/a"), app.Served("/b"); a+b != 200 || a == 0 || b == 0 {
		t.Errorf("the application saw %d + %d requests, want 200", a, b)
	}
}

// What a client library would retry or ignore counts as a failure.
func TestLoadCountsFailures(t *testing.T) {
	t.Parallel()
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-App: web\r\n\r\nok"
	cut := func(conn net.Conn, _ *bufio.Reader) { conn.Close() }
	for name, test := range map[string]struct {
		options rig.LoadOptions
		reply   string // to the first request of each connection
		then    func(net.Conn, *bufio.Reader)
		want    string // in the first failure
		idle    bool
	}{
		"kept connection cut between requests": {
			reply: good, then: cut, want: "closed between two requests", idle: true,
		},
		"kept connection cut after the request": {
			reply: good,
			then: func(conn net.Conn, r *bufio.Reader) {
				if _, err := http.ReadRequest(r); err == nil {
					conn.Close()
				}
			},
			want: "on a kept connection: read the answer: unexpected EOF",
		},
		"body cut":          {reply: strings.TrimSuffix(good, "k"), then: cut, want: "read the body: unexpected EOF"},
		"nothing answered":  {then: cut, want: "EOF"},
		"status":            {reply: "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", want: "status 503 No"},
		"redirect":          {reply: "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", want: "status 302 Found"},
		"wrong application": {reply: strings.Replace(good, "web", "other", 1), want: `answered by "other"`},
		"time-out":          {options: rig.LoadOptions{Timeout: 50 * time.Millisecond}, want: "i/o timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := test.options
			options.Addr = serveRaw(t, test.reply, test.then)
			options.KeepAlive, options.Rate = 1, 100
			options.Targets = []rig.Target{{Path: "/", App: "web"}}
			load := startLoad(t, options)
			err := rig.Eventually(t.Context(), 30*time.Second, func() error {
				if load.Result().Failures == 0 {
					return errors.New("no failure was counted")
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			result := load.Stop()
			if got := result.First[0].Err.Error(); !strings.Contains(got, test.want) {
				t.Errorf("first failure %q, want %q", got, test.want)
			}
			if got := result.IdleCloses > 0; got != test.idle {
				t.Errorf("%d idle closes, want some: %t", result.IdleCloses, test.idle)
			}
		})
	}
}

func TestLoadCountsRefusedConnections(t *testing.T) {
	t.Parallel()
	port, err := rig.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	load := startLoad(t, rig.LoadOptions{
		Addr: fmt.Sprintf("127.0.0.1:%d", port), Fresh: 1, Rate: 1000, MaxRequests: 30,
	})
	err = rig.Eventually(t.Context(), 30*time.Second, func() error {
		if r := load.Result(); r.Failures < 30 {
			return fmt.Errorf("%d failures", r.Failures)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := load.Stop(); len(r.First) != 20 || !strings.Contains(r.String(), "connection refused") {
		t.Errorf("want the texts of the first 20 failures: %s", r)
	}
}

// The end of the load's context ends the clients; running requests are finished and
// counted.
func TestLoadFinishesRequests(t *testing.T) {
	t.Parallel()
	app := startApp(t, "web")
	load, err := rig.NewLoad(rig.LoadOptions{
		Addr: app.Addr(), KeepAlive: 1, Rate: 1000, Targets: []rig.Target{{Path: "/slow?ms=300"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	load.Start(ctx)
	err = rig.Eventually(t.Context(), 30*time.Second, func() error {
		if app.Served("/slow") == 0 {
			return errors.New("no request has arrived")
		}
		return nil
	})
	cancel()
	result := load.Stop()
	if err != nil || result.Requests != 1 || result.Failures != 0 || result.MaxLatency < 300*time.Millisecond {
		t.Errorf("want one slow request and no failure: %v, %s", err, result)
	}
}

// serveRaw answers the first request of every connection with answer and passes the
// rest of the connection to then, which may be nil.
func serveRaw(t *testing.T, reply string, then func(net.Conn, *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			go func() {
				r := bufio.NewReader(conn)
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				if _, err := io.WriteString(conn, reply); err == nil && then != nil {
					then(conn, r)
				}
			}()
		}
	}()
	return l.Addr().String()
}

func startApp(t *testing.T, name string) *rig.App {
	t.Helper()
	app, err := rig.StartApp(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Kill() })
	return app
}

func startLoad(t *testing.T, options rig.LoadOptions) *rig.Load {
	t.Helper()
	load, err := rig.NewLoad(options)
	if err != nil {
		t.Fatal(err)
	}
	load.Start(t.Context())
	t.Cleanup(func() { load.Stop() })
	return load
}

package query

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// named is a connection that records its close.
type named struct {
	net.Conn
	name string
	ends *[]string
}

func (n named) Close() error {
	*n.ends = append(*n.ends, n.name)
	return nil
}

func TestConnLimitClosesLongestIdleConnection(t *testing.T) {
	var ends []string
	c := &connLimit{maximum: 3}
	join := func(name string) *member { return c.join(named{name: name, ends: &ends}) }
	gone := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, ends); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		ends = nil
		if n := c.waiting.Len() + c.asking.Len(); n > c.maximum {
			t.Errorf("%d are connected", n)
		}
	}

	first, second, third := join("first"), join("second"), join("third")
	gone()
	c.note(first, http.StateNew) // no new information
	join("fourth")
	gone("first")
	c.note(first, http.StateActive) // already closed
	c.note(second, http.StateActive)
	fifth := join("fifth")
	gone("third") // the second one is being served
	c.note(second, http.StateIdle)
	join("sixth")
	gone("fourth")
	join("seventh")
	gone("fifth") // the second one has been waiting for less time than the fifth
	_, _ = third.Close(), fifth.Close()
	gone("third", "fifth")
	join("eighth")
	gone("second")

	for _, name := range []string{"a", "b", "c"} {
		c.note(join(name), http.StateActive)
	}
	gone("sixth", "seventh", "eighth")
	d := join("d")
	gone("a") // none is waiting, and a takes longest
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	gone("d")
	join("e") // d has left
	gone()
}

func TestConnLimitLeavesBlockedQueriesOut(t *testing.T) {
	var ends []string
	c := &connLimit{maximum: 1, maximumBlocked: 2}
	join := func(name string) *member { return c.join(named{name: name, ends: &ends}) }
	gone := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, ends); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		ends = nil
	}
	block := func(name string, want bool) *member {
		t.Helper()
		m := join(name)
		c.note(m, http.StateActive)
		if got := m.block(); got != want {
			t.Errorf("%s: blocked %v", name, got)
		}
		return m
	}
	first, second := block("first", true), block("second", true)
	gone()
	third := block("third", false)
	gone()
	c.note(first, http.StateIdle)
	gone("first") // it would be one too many, and the third was there before
	_ = third.Close()
	gone("third")
	c.note(second, http.StateIdle)
	gone()
	join("fourth")
	gone("second")
	if n := c.blocked.Len(); n != 0 {
		t.Errorf("%d are blocked", n)
	}
}

// ask sends one request on its own connection; it fails the test if the answer takes more
// than a second.
func (p *pipes) ask(t *testing.T, target string) {
	t.Helper()
	conn := p.dial()
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	send(t, conn, "GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("%s: status %d, %v", target, r.StatusCode, err)
	}
}

// A request is answered at once while three times as many clients are connected as
// allowed, whether these send nothing, send half a request, or do not read an answer.
func TestFlood(t *testing.T) {
	for _, c := range []struct{ name, sends string }{
		{"says nothing", ""},
		{"a header without an end", "GET / HTTP/1.1\r\nHost: x\r\nX: "},
		{"does not read", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, l := newServer(seed()...), newPipes()
				stop := start(t, s, l)
				var all []net.Conn
				for i := range 3 * maxConnections {
					conn := l.dial()
					all = append(all, conn)
					go func() { _, _ = io.WriteString(conn, c.sends) }() // it may be closed
					if i%1000 == 0 {
						l.ask(t, "/healthz")
					}
				}
				for _, target := range []string{"/healthz", "/readyz", "/metrics", "/"} {
					l.ask(t, target)
				}
				for _, conn := range all {
					conn.Close()
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Clients that do not read an answer of half a megabyte do not delay what others see, and
// their answer is the state at the time of their request.
func TestSlowReaderDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var addrs []string
		for i := range 5000 {
			addrs = append(addrs, fmt.Sprintf("10.%d.%d.1:8080", i/250, i%250))
		}
		p := serving("p", group("web", addrs...))
		l := newPipes()
		stop := start(t, newServer(p), l)
		slow := l.dial()
		send(t, slow, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait() // it is being served

		p.snapshot.Store(&registry.Snapshot{Proxy: "p", Groups: []*registry.Group{group("web", "10.0.0.9:80")}})
		begun := time.Now()
		l.ask(t, "/p/web")
		if took := time.Since(begun); took > 0 {
			t.Errorf("another request took %v", took)
		}
		r, err := http.ReadResponse(bufio.NewReader(slow), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || strings.Count(string(body), ":8080") != 5000 {
			t.Errorf("%d bytes, %v", len(body), err)
		}
		slow.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// Sending one byte now and then buys no time, neither for a header nor for a body that is
// not read.
func TestDrippingClientsAreCut(t *testing.T) {
	for _, c := range []struct {
		name, begins string
		status       int
		most         time.Duration
	}{
		{"a header", "GET / HTTP/1.1\r\nHost: x\r\nX: ", 0, 6 * time.Second},
		{"a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", http.StatusMethodNotAllowed, 11 * time.Second},
		{"chunks", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n", http.StatusMethodNotAllowed, 11 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				stop := start(t, newServer(), l)
				conn := l.dial()
				send(t, conn, c.begins)
				begun := time.Now()
				if c.status != 0 {
					r, err := http.ReadResponse(bufio.NewReader(conn), nil)
					if err != nil {
						t.Fatal(err)
					}
					if took := time.Since(begun); r.StatusCode != c.status || took > 0 {
						t.Errorf("status %d after %v", r.StatusCode, took)
					}
					r.Body.Close()
				}
				tick := time.NewTicker(time.Second)
				defer tick.Stop()
				for err := error(nil); err == nil && time.Since(begun) < 2*c.most; {
					<-tick.C
					_, err = io.WriteString(conn, "x")
				}
				if took := time.Since(begun); took > c.most {
					t.Errorf("cut after %v", took)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

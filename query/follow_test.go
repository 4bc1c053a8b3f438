package query

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/events"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// followed collects what a follower is told.
type followed struct {
	events chan string
	says   chan string
}

func (f *followed) follower() Follower {
	return Follower{
		Event: func(data []byte) error {
			var e struct{ Reason string }
			err := json.Unmarshal(data, &e)
			f.events <- e.Reason
			return err
		},
		Missed: func() { f.says <- "missed" },
		Lost:   func(error) { f.says <- "lost" },
		Back:   func() { f.says <- "back" },
	}
}

func (f *followed) next(t *testing.T, from chan string, want string) {
	t.Helper()
	select {
	case got := <-from:
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("no %q", want)
	}
}

func serveEvents(t *testing.T, ring *events.Ring, addr string) (at string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(serving("p", group("web")))
	s.events = ring
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, Port{Listener: l, Detail: true}) }()
	return l.Addr().String(), func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// A client that follows the events gets each of them once, also over a restart.
func TestFollowContinuesAfterARestart(t *testing.T) {
	t.Parallel()
	ring := events.NewRing()
	happens := func(reason string) {
		ring.Append(registry.Event{Kind: registry.EventReload, Proxy: "p", Reason: reason})
	}
	happens("before")
	addr, stop := serveEvents(t, ring, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	f := &followed{make(chan string, 10), make(chan string, 10)}
	ended := make(chan error, 1)
	go func() {
		ended <- NewClient(addr, AccessFiles{}).Follow(ctx, url.Values{"since": {"1h"}}, f.follower())
	}()
	f.next(t, f.events, "before")
	happens("one")
	f.next(t, f.events, "one")
	stop()
	f.next(t, f.says, "lost")
	happens("meanwhile")
	_, stop = serveEvents(t, ring, addr)
	defer stop()
	f.next(t, f.says, "back")
	f.next(t, f.events, "meanwhile")
	happens("two")
	f.next(t, f.events, "two")
	cancel()
	if err := <-ended; err != nil || len(f.events)+len(f.says) > 0 {
		t.Errorf("%v, and %d more", err, len(f.events)+len(f.says))
	}
}

func TestFollowFails(t *testing.T) {
	t.Parallel()
	ring := events.NewRing()
	addr, stop := serveEvents(t, ring, "127.0.0.1:0")
	defer stop()
	ring.Append(registry.Event{Kind: registry.EventReload, Proxy: "p"})
	f := &followed{make(chan string, 10), make(chan string, 10)}
	if err := NewClient(addr, AccessFiles{}).Follow(t.Context(), url.Values{"kind": {"nothing"}}, f.follower()); err == nil || !strings.Contains(err.Error(), `answered 400: no kind "nothing"`) {
		t.Errorf("a wrong filter: %v", err)
	}
	closed := errors.New("the pipe is closed")
	refuses := f.follower()
	refuses.Event = func([]byte) error { return closed }
	if err := NewClient(addr, AccessFiles{}).Follow(t.Context(), url.Values{"since": {"1h"}}, refuses); !errors.Is(err, closed) {
		t.Errorf("nobody reads: %v", err)
	}
	if err := NewClient("127.0.0.1:1", AccessFiles{}).Follow(t.Context(), url.Values{}, f.follower()); err == nil {
		t.Error("nobody answers: no error")
	}
	if len(f.says) > 0 {
		t.Errorf("it says %q", <-f.says)
	}
}

// FuzzReadEvents checks that whatever a server sends gives events of bounded size, one per
// block that has data, and an id that may be sent back.
func FuzzReadEvents(f *testing.F) {
	f.Add([]byte("retry: 3000\n\nid: 7\ndata: {}\n\n: nothing\nid: 9\n\nevent: missed\ndata: {}\n\n"))
	f.Add([]byte("data:a\ndata:b\r\n\nid: \x00\ndata\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		last, blocks := "", bytes.Count(text, []byte("\n"))
		seen := 0
		err := readEvents(bytes.NewReader(text), &last, Follower{
			Event: func(data []byte) error {
				if seen++; len(data) == 0 || len(data) > maxEventLine {
					return fmt.Errorf("an event of %d bytes", len(data))
				}
				return nil
			},
			Missed: func() { seen++ },
		}, func() {})
		var fatal *fatalError
		if err == nil || errors.As(err, &fatal) || seen > blocks {
			t.Errorf("%d events of %d lines: %v", seen, blocks, err)
		}
		request, err := http.NewRequest(http.MethodGet, "http://x", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Last-Event-ID", last)
		if err := request.Header.Write(new(bytes.Buffer)); err != nil || strings.Trim(last, "0123456789") != "" {
			t.Errorf("the id %q", last)
		}
	})
}

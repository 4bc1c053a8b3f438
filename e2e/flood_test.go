package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	floodSize  = 10_000
	floodHands = 50
	// healthy is the timeout of a container's health check.
	healthy = 3 * time.Second
)

// flood holds ten thousand connections to an address that send nothing, or do not read
// the answer. Each dropped connection is replaced, up to a thousand a second.
type flood struct {
	addr    string
	cancel  context.CancelFunc
	filling sync.WaitGroup // until all are open
	holding sync.WaitGroup
}

func startFlood(ctx context.Context, addr string) *flood {
	f := &flood{addr: addr}
	ctx, f.cancel = context.WithCancel(ctx)
	f.filling.Add(floodHands)
	for hand := range floodHands {
		f.holding.Go(func() { f.hold(ctx, hand) })
	}
	return f
}

// hold keeps one fiftieth of a flood open.
func (f *flood) hold(ctx context.Context, hand int) {
	held := make([]net.Conn, floodSize/floodHands)
	filled := sync.OnceFunc(f.filling.Done)
	defer filled()
	defer func() {
		for _, conn := range held {
			if conn != nil {
				conn.Close()
			}
		}
	}()
	pace := time.NewTicker(floodHands * time.Second / 1000)
	defer pace.Stop()
	says := []string{"", "", "GET / HTTP/1.1\r\nHost: x\r\nX: ", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"}[hand%4]
	for turn := 0; ctx.Err() == nil; turn++ {
		if turn >= len(held) {
			filled()
			select {
			case <-pace.C:
			case <-ctx.Done():
				return
			}
		}
		i := turn % len(held)
		if held[i] != nil {
			held[i].Close()
		}
		// A refused or late connection is retried.
		held[i], _ = (&net.Dialer{Timeout: within}).DialContext(ctx, "tcp", f.addr)
		if held[i] != nil {
			_, _ = io.WriteString(held[i], says)
		}
	}
}

func (f *flood) stop() {
	f.cancel()
	f.holding.Wait()
}

// healthcheck runs the command of a container's health check.
func (s *stage) healthcheck() error {
	begun := time.Now()
	command := exec.CommandContext(s.t.Context(), shared.binary, "healthcheck")
	command.Env = []string{"HTTP_ADDR=" + s.http, rig.EndsAtOnce}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("healthcheck, after %v: %w: %s", time.Since(begun), err, output)
	}
	return nil
}

// A flood of the HTTP port only affects silent clients of that port.
func TestFloodOfTheHTTPPort(t *testing.T) {
	someInTurn(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		s.eventually("it is used", func() error { return used(load, []*rig.App{a}) })
		files, memory, routines := s.metric("process_open_fds"), s.metric("process_resident_memory_bytes"), s.metric("go_goroutines")

		f := startFlood(t.Context(), s.http)
		defer f.stop()
		full := make(chan struct{})
		go func() {
			defer close(full)
			f.filling.Wait()
		}()
		client := http.Client{Timeout: healthy, Transport: &http.Transport{DisableKeepAlives: true}}
		asked, slowest, mostFiles, mostMemory := 0, time.Duration(0), 0.0, 0.0
		wellFor := func(what string) {
			t.Helper()
			if err := s.healthcheck(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			for _, path := range []string{"/healthz", "/metrics", "/readyz", "/"} {
				begun := time.Now()
				response, err := client.Get("http://" + s.http + path)
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
				if err != nil || response.StatusCode != http.StatusOK {
					t.Errorf("%s: %s after %v: %v", what, path, time.Since(begun), err)
				}
				asked++
				slowest = max(slowest, time.Since(begun))
			}
			mostFiles, mostMemory = max(mostFiles, s.metric("process_open_fds")), max(mostMemory, s.metric("process_resident_memory_bytes"))
		}
		for filling := true; filling; {
			select {
			case <-full:
				filling = false
			default:
			}
			wellFor("while they come")
		}
		for range 5 {
			b := s.app(front)
			s.serves(front, a, b)
			wellFor("while they stay")
			// It keeps running: in a flood the kernel itself drops packets, so that a
			// connect of HAProxy may be seconds late.
			if err := b.Unregister(); err != nil {
				t.Fatal(err)
			}
			s.serves(front, a)
		}
		f.stop()
		t.Logf("%d requests, the slowest took %v; at most %v descriptors (%v before) and %.0f MB (%.0f before)",
			asked, slowest, mostFiles, files, mostMemory/1e6, memory/1e6)
		// With the race detector a connection takes some ten times as much memory.
		if mostFiles > files+1100 || mostMemory > memory+400e6 {
			t.Errorf("%v descriptors and %.0f MB", mostFiles, mostMemory/1e6)
		}
		s.eventually("all is as before", func() error {
			if now, running := s.metric("process_open_fds"), s.metric("go_goroutines"); now > files+5 || running > routines+10 {
				return fmt.Errorf("%v descriptors, %v goroutines; before %v and %v", now, running, files, routines)
			}
			return nil
		})
		s.lost(load)
		s.cleanLog()
		s.stopped()
	})
}

// Slow clients, of each kind, are disconnected after their timeout, and delay nothing
// else, including the next registration.
func TestSlowClientsOfTheHTTPPort(t *testing.T) {
	t.Parallel()
	s := begin(t, shared.haproxies[0], func(c *rig.SeedConfig) {
		c.Groups[1].ServerTemplate, c.Groups[1].MaxServer = "${group_name} 1-${max_server} ${ip_port} disabled", 5100
	})
	a := s.app(front)
	s.serves(front, a)
	load := s.load(rig.Target{Path: "/", App: front})
	if err := s.registry.Ensure(s.node(base)); err != nil {
		t.Fatal(err)
	}
	var many []any
	for i := range 5000 {
		many = append(many, &zk.CreateRequest{Path: fmt.Sprintf("%s/127.1.%d.%d:80", s.node(base), i/250, i%250), Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral})
	}
	if _, err := s.registry.Conn().Multi(many...); err != nil {
		t.Fatal(err)
	}
	// Not by metrics, which have a hundred thousand lines here.
	s.must(rig.Eventually(t.Context(), 4*within, func() error {
		_, body := s.get("/ngboss/" + base)
		if n := strings.Count(body, `:80"`); n != 5000 {
			return fmt.Errorf("%d instances are in service", n)
		}
		return nil
	}))

	dial := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", s.http)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	var ending sync.WaitGroup
	// drip sends a byte of an endless text each second until the port disconnects.
	drip := func(what, begin string, most time.Duration) {
		conn, begun := dial(), time.Now()
		ending.Go(func() {
			_, err := io.WriteString(conn, begin)
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for err == nil && time.Since(begun) < 2*most {
				<-tick.C
				_, err = io.WriteString(conn, "x")
			}
			if took := time.Since(begun); err == nil || took > most {
				t.Errorf("%s: ended after %v: %v", what, took, err)
			}
		})
	}
	drip("a header", "GET / HTTP/1.1\r\nHost: x\r\nX: ", 20*time.Second)
	drip("a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", 30*time.Second)
	reader := dial()
	if err := reader.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	ending.Go(func() {
		// More than the kernel buffers; it blocks until the port disconnects.
		_ = reader.SetWriteDeadline(begun.Add(2 * time.Minute))
		var err error
		for err == nil {
			_, err = io.WriteString(reader, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("a reader that does not read: ended after %v: %v", took, err)
		}
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ending.Wait()
	}()
	for waiting := true; waiting; {
		select {
		case <-ended:
			waiting = false
		default:
		}
		b := s.app(front)
		s.serves(front, a, b)
		s.retire(front, b)
		s.serves(front, a)
		if err := s.healthcheck(); err != nil {
			t.Error(err)
		}
	}
	s.lost(load)
	s.stopped()
}

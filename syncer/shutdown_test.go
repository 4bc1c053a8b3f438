package syncer

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// listen serves a port of this machine until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().String()
}

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

func running() string {
	stacks := make([]byte, 1<<20)
	return string(stacks[:runtime.Stack(stacks, true)])
}

// There are more groups than the library's queue of requests holds.
const many = 40

func TestStopIsQuick(t *testing.T) {
	accepted := make(chan struct{}, 1000)
	f := newFakeServer()
	tests := []struct {
		name   string
		server string
		ready  func(c *client) bool
		bound  time.Duration
	}{
		{
			"nothing listens", "127.0.0.1:1",
			func(c *client) bool { return strings.Contains(c.ConnectionStatus().Problem, "refused") },
			200 * time.Millisecond,
		},
		{
			"silent", listen(t, func(c net.Conn) {
				accepted <- struct{}{}
				_, _ = io.Copy(io.Discard, c)
			}),
			func(*client) bool { return len(accepted) > 0 },
			200 * time.Millisecond,
		},
		{
			"closes at once", listen(t, func(net.Conn) {}),
			func(c *client) bool { return strings.Contains(c.ConnectionStatus().Problem, "no session") },
			200 * time.Millisecond,
		},
		{
			"not ZooKeeper", listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 mail.example.com ESMTP\r\n") }),
			func(c *client) bool { return strings.Contains(c.ConnectionStatus().Problem, "not ZooKeeper's") },
			200 * time.Millisecond,
		},
		{
			"connected", listen(t, newFakeServer().handle),
			func(c *client) bool { return c.ConnectionStatus().Connected },
			200 * time.Millisecond,
		},
		{
			"silent after the handshake", listen(t, f.handle),
			func(c *client) bool {
				if !c.ConnectionStatus().Connected {
					return false
				}
				f.lock(func() { f.mode = mute })
				return true
			},
			closeTimeout + 200*time.Millisecond,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := startClient(t, nil, []string{test.server}, many)
			until(t, "the server's behavior", func() bool { return test.ready(c) })
			if took := c.stop(); took > test.bound {
				t.Errorf("took %v", took)
			}
			// The library's may still be about to return.
			until(t, "the end of all goroutines", func() bool {
				left := running()
				return !strings.Contains(left, "go-zookeeper/zk") && !strings.Contains(left, "syncer.(*groupFollower)")
			})
		})
	}
}

func TestRunWithCanceledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := newFakeServer()
	c := newClient(t, f.connect, []string{"zk:2181"}, 1)
	if err := c.Syncer.Run(ctx); err != nil || len(f.dials) > 0 {
		t.Errorf("%v, %d dials", err, len(f.dials))
	}
}

func TestRunWithoutServers(t *testing.T) {
	c := startClient(t, nil, nil, 1)
	if <-c.done; c.err == nil {
		t.Error("no error")
	}
}

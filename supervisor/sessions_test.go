package supervisor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
)

func TestSessionsAreCounted(t *testing.T) {
	needs.IPv6(t)
	var listener, other net.Listener
	for at, address := range map[*net.Listener]string{&listener: "127.0.0.1:0", &other: "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		*at = l
	}
	self := []*worker{{process: &Child{done: make(chan struct{})}, pid: os.Getpid()}}
	found, err := listening(self)
	if err != nil {
		t.Fatal(err)
	}
	port := func(l net.Listener) string { return fmt.Sprintf("%04X", l.Addr().(*net.TCPAddr).Port) }
	if !found[port(listener)] || !found[port(other)] {
		t.Errorf("listening on %v, not on %s and %s", found, port(listener), port(other))
	}
	listened := ports{port(listener): true, port(other): true}
	counted := func(want int) {
		t.Helper()
		if n, err := listened.sessions(self, time.Now().Add(time.Minute)); err != nil || n != want {
			t.Errorf("%d sessions, %v, not %d", n, err, want)
		}
	}
	counted(0)
	accept := func(l net.Listener) (client, server net.Conn) {
		client, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			server, err = l.Accept()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close(); server.Close() })
		return client, server
	}
	_, first := accept(listener)
	counted(1)
	accept(other)
	waits, _ := accept(listener)
	counted(3)
	if err := waits.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	counted(3)
	first.Close()
	listener.Close()
	counted(2)

	if n, err := listened.sessions(self, time.Now()); !errors.Is(err, errTooManySockets) {
		t.Errorf("without time to count them there are %d: %v", n, err)
	}

	ended := make(chan struct{})
	close(ended)
	self[0].process = &Child{done: ended}
	counted(0)
	self[0].process, self[0].pid = &Child{done: make(chan struct{})}, 1<<22+1
	if n, err := listened.sessions(self, time.Now().Add(time.Minute)); err == nil {
		t.Errorf("a process that is not there has %d sessions", n)
	}
}

package query

import (
	"errors"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A command that finds nothing says where it asked and what to do, and names no URL.
func TestClientWithoutServerSaysWhatToDo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = NewClient(addr, AccessFiles{}).Get(t.Context(), "/a/b")
	if !errors.Is(err, unix.ECONNREFUSED) || !strings.Contains(err.Error(), "no haproxy-zk answers on "+addr+": connection refused; start it") {
		t.Errorf("nothing listens: %v", err)
	}
	_, err = NewClient("127.0.0.1:none", AccessFiles{}).Get(t.Context(), "/a/b")
	if err == nil || !strings.HasPrefix(err.Error(), "ask haproxy-zk on 127.0.0.1:none: ") || strings.Contains(err.Error(), "http:") {
		t.Errorf("no such address: %v", err)
	}
}

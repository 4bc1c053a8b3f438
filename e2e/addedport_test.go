package e2e

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// sharedListener listens as another HAProxy of this user does: the kernel would let one more
// listen there, and give each half of the connections.
func sharedListener(t *testing.T) (listener net.Listener, port int) {
	t.Helper()
	sharing := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if err := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); err != nil {
			return err
		}
		return err
	}}
	listener, err := sharing.Listen(context.Background(), "tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener, listener.Addr().(*net.TCPAddr).Port
}

// A port that the configuration adds is not shared with another process, as it is not at
// the start.
func TestAddedPortIsNotShared(t *testing.T) {
	onBothKinds(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b := s.app(front), s.app(base)
		s.serves(front, a)
		s.serves(base, b)
		before := s.pids()
		other, port := sharedListener(t)
		taken := fmt.Sprintf("cannot listen on :%d: address in use", port)

		s.config.Groups[1].Extra = map[string]any{"listener_port": port}
		s.rewrite(s.config)
		s.reread("error")
		s.rejected(taken)
		s.keepsPIDs(before)
		// Reloads for other reasons go on with the configuration that was accepted.
		s.reload()
		s.serves(front, a)

		s.must(other.Close())
		added := s.config.Groups[1].Extra
		for _, extra := range []map[string]any{added, nil, added} {
			before = s.pids()
			s.config.Groups[1].Extra = extra
			s.rewrite(s.config)
			s.reread("ok")
			s.renewed(before)
		}
		s.eventually("the added port serves", func() error { return s.answersAt(port, "/x", b) })
		s.stopped()
	})
}

// An HAProxy that is taken over keeps serving while its successor would share a port.
func TestTakeoverDoesNotShareAddedPort(t *testing.T) {
	onBothKinds(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		s.crash()
		other, port := sharedListener(t)
		s.config.Groups[1].Extra = map[string]any{"listener_port": port}
		file, err := s.config.Write(s.home)
		if err != nil {
			t.Fatal(err)
		}
		s.launch(file)
		s.exits(1)
		s.says(fmt.Sprintf("cannot listen on :%d: address in use", port))
		s.keepsPIDs(before)
		s.eventually("the earlier HAProxy serves", func() error { return s.answers("/", a) })

		s.must(other.Close())
		s.launch(file)
		s.renewed(before)
		s.serves(front, a)
		s.stopped()
	})
}

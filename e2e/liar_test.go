package e2e

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// liar stands between a stats socket and its clients. It forwards everything, descriptors
// too, except the request of haproxy-zk for the listening sockets, which it answers
// itself.
type liar struct {
	true   string // path of the worker's socket
	answer func(conn *net.UnixConn)
}

// lie puts a liar before each stats socket until the returned function is called.
func (s *stage) lie(answer func(conn *net.UnixConn)) (stop func()) {
	s.t.Helper()
	var serving sync.WaitGroup
	var listeners []*net.UnixListener
	for _, path := range s.config.Sockets() {
		l := liar{true: path + ".true", answer: answer}
		if err := os.Rename(path, l.true); err != nil {
			s.t.Fatal(err)
		}
		listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			s.t.Fatal(err)
		}
		listeners = append(listeners, listener)
		serving.Go(func() {
			for {
				conn, err := listener.AcceptUnix()
				if err != nil {
					return
				}
				serving.Go(func() { l.serve(conn) })
			}
		})
	}
	stop = sync.OnceFunc(func() {
		for i, path := range s.config.Sockets() {
			if err := os.Rename(path+".true", path); err != nil {
				s.t.Error(err)
			}
			listeners[i].SetUnlinkOnClose(false)
			listeners[i].Close()
		}
	})
	s.t.Cleanup(func() { stop(); serving.Wait() })
	return stop
}

func (l liar) serve(client *net.UnixConn) {
	defer client.Close()
	to, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: l.true, Net: "unix"})
	if err != nil {
		return
	}
	var forwarding sync.WaitGroup
	forwarding.Go(func() {
		passOn(client, to)
		_ = client.CloseWrite() // the worker has ended its side
	})
	defer forwarding.Wait()
	defer to.Close()
	lines := bufio.NewReader(client)
	line, err := lines.ReadString('\n')
	ours := line == "prompt\n"
	for err == nil {
		if ours && line == "_getsocks\n" {
			l.answer(client)
			return
		}
		if _, err = io.WriteString(to, line); err != nil {
			return
		}
		if !ours {
			_, _ = io.Copy(to, lines)
			return
		}
		line, err = lines.ReadString('\n')
	}
}

// passOn copies messages with their descriptors. The first four bytes, the number of
// sockets, are read without any: they may arrive together with the first message.
func passOn(to, from *net.UnixConn) {
	buffer, control := make([]byte, 1<<16), make([]byte, unix.CmsgSpace(253*4))
	for size := 4; ; size = len(buffer) {
		n, controls, _, _, err := from.ReadMsgUnix(buffer[:size], control)
		if n > 0 {
			_, _, _ = to.WriteMsgUnix(buffer[:n], control[:controls], nil)
		}
		messages, _ := unix.ParseSocketControlMessage(control[:controls])
		for i := range messages {
			fds, _ := unix.ParseUnixRights(&messages[i])
			for _, fd := range fds {
				unix.Close(fd)
			}
		}
		if err != nil || n == 0 {
			return
		}
	}
}

// Whatever a worker answers when it is asked for its listening sockets, reloads take them
// from it as HAProxy does by itself, and lose nothing.
func TestReloadsLoseNothingWhateverAWorkerHandsOver(t *testing.T) {
	onEverySet(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Template = patient(h) })
		a, b, load := s.both()
		for name, answer := range map[string]func(conn *net.UnixConn){
			"nonsense": func(conn *net.UnixConn) { fmt.Fprint(conn, "Unknown command.\n") },
			"too many": func(conn *net.UnixConn) {
				_, _ = conn.Write(binary.NativeEndian.AppendUint32(nil, 1_000_000))
			},
			"never": func(conn *net.UnixConn) { _, _ = io.Copy(io.Discard, conn) },
		} {
			s.holds()
			stop := s.lie(answer)
			warned := s.said("cannot keep HAProxy's listening sockets")
			for range 2 { // the second one without kept sockets
				before := s.pids()
				s.signal(syscall.SIGUSR2)
				s.renewed(before)
				s.eventually(name+": nothing is kept", func() error { return s.counts(0, "haproxyzk_listeners_held") })
			}
			if s.said("cannot keep HAProxy's listening sockets") == warned {
				t.Errorf("%s: it is not logged", name)
			}
			s.serves(front, a)
			s.serves(base, b)
			stop()
			s.holds()
		}
		s.eventually("all are used", func() error { return used(load, []*rig.App{a, b}) })
		s.lost(load)
		s.stopped()
	})
}

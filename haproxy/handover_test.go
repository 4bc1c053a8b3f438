package haproxy

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// process is a stats socket that answers like an interactive session of a process, and
// `_getsocks` with a function.
func process(t *testing.T, pid int, answer func(conn *net.UnixConn)) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s.sock")
	serve(t, path, func(conn *net.UnixConn) {
		lines := bufio.NewReader(conn)
		for {
			switch line, err := lines.ReadString('\n'); {
			case err != nil:
				return
			case line == "prompt\n":
				fmt.Fprint(conn, "\n> ")
			case line == "show info\n":
				fmt.Fprintf(conn, "Name: HAProxy\nPid: %d\n\n\n> ", pid)
			case line == handoverRequest:
				answer(conn)
				return
			}
		}
	})
	return path
}

// serve handles every connection to a unix socket at path until the test ends.
func serve(t *testing.T, path string, handle func(conn *net.UnixConn)) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
}

// announce writes the number of sockets that follow.
func announce(conn *net.UnixConn, n int) {
	_, _ = conn.Write(binary.NativeEndian.AppendUint32(nil, uint32(n)))
}

// attach writes records of some bytes each with descriptors, and waits for the
// acknowledgment.
func attach(conn *net.UnixConn, record string, fds ...int) {
	_, _, _ = conn.WriteMsgUnix([]byte(strings.Repeat(record, len(fds))), unix.UnixRights(fds...), nil)
	_, _ = conn.Read(make([]byte, 16))
}

const (
	plainRecord = "\x00\x00\x00\x00\x00\x00"
	namedRecord = "\x03net\x04eth0\x04\x00\x00\x00"
)

// listen returns descriptors of one listening TCP socket, and its address.
func listen(t *testing.T, n int) (fds []int, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	t.Cleanup(func() { file.Close() })
	for range n {
		fds = append(fds, int(file.Fd()))
	}
	return fds, l.Addr().String()
}

// openFiles returns how many descriptors this process has.
func openFiles(t *testing.T) int {
	t.Helper()
	links, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(links)
}

func TestListenersPassFromOneProcessToTheNext(t *testing.T) {
	const many = 300 // two messages of HAProxy, three of ours
	fds, addr := listen(t, many)
	first := process(t, 7, func(conn *net.UnixConn) {
		announce(conn, many)
		attach(conn, plainRecord, fds[:maxDescriptors]...)
		attach(conn, namedRecord, fds[maxDescriptors:]...)
	})
	kept, err := Handover{Sockets: []string{first}, Timeout: 10 * time.Second, Most: many}.Take(t.Context(), []int{6, 7})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	for _, s := range kept.sockets {
		if flags, err := unix.FcntlInt(uintptr(s.fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Fatalf("a child process would inherit descriptor %d: flags %x, %v", s.fd, flags, err)
		}
	}

	socket := filepath.Join(t.TempDir(), "x.sock")
	given := make(chan error, 1)
	serve(t, socket, func(conn *net.UnixConn) { given <- kept.Give(conn) })
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	next, err := receiveListeners(conn.(*net.UnixConn), many)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-given; err != nil {
		t.Error(err)
	}
	kept.Close()
	if next.Count() != many {
		t.Errorf("%d sockets", next.Count())
	}
	for i, s := range next.sockets {
		want := plainRecord
		if i >= maxDescriptors {
			want = namedRecord
		}
		if string(s.record) != want {
			t.Fatalf("socket %d has %q", i, s.record)
		}
	}
	client, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("while the sockets are kept: %v", err)
	}
	client.Close()
	next.Close()
	unix.Close(fds[0])
	if client, err := net.Dial("tcp", addr); err == nil {
		client.Close()
		t.Error("the sockets are closed and still listen")
	}
}

func TestTakeRejectsAnythingElse(t *testing.T) {
	listening, _ := listen(t, 4)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	idle, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(idle)
	const most = 3
	for name, test := range map[string]struct {
		answer func(conn *net.UnixConn)
		want   string
	}{
		"no expose-fd":          {func(*net.UnixConn) {}, "its `stats socket` needs `expose-fd listeners`"},
		"text":                  {func(conn *net.UnixConn) { fmt.Fprint(conn, "Unknown command.\n") }, "announced 1852534357 listening sockets, at most 3 can be kept"},
		"none":                  {func(conn *net.UnixConn) { announce(conn, 0) }, "announced 0 listening sockets"},
		"a negative number":     {func(conn *net.UnixConn) { announce(conn, -2) }, "announced -2 listening sockets"},
		"too many":              {func(conn *net.UnixConn) { announce(conn, most+1); attach(conn, plainRecord, listening...) }, "announced 4 listening sockets, at most 3"},
		"more than announced":   {func(conn *net.UnixConn) { announce(conn, 1); attach(conn, plainRecord, listening...) }, "1 sockets were announced, 4 arrived"},
		"less than announced":   {func(conn *net.UnixConn) { announce(conn, 2); attach(conn, plainRecord, listening[0]) }, "1 of 2 sockets arrived"},
		"half a number":         {func(conn *net.UnixConn) { fmt.Fprint(conn, "\x01") }, "read the number of sockets"},
		"a record too short":    {func(conn *net.UnixConn) { announce(conn, 1); attach(conn, "\x00", listening[0]) }, "1 of 1 sockets arrived: unexpected EOF"},
		"records without end":   {func(conn *net.UnixConn) { announce(conn, 1); attach(conn, strings.Repeat("\xff", 1000), listening[0]) }, "1 sockets were announced, 1 arrived with"},
		"a file":                {func(conn *net.UnixConn) { announce(conn, 1); attach(conn, plainRecord, int(null.Fd())) }, "a descriptor that is no socket"},
		"a socket of a client":  {func(conn *net.UnixConn) { announce(conn, 1); attach(conn, plainRecord, idle) }, "cannot be kept: it does not listen"},
		"records without files": {func(conn *net.UnixConn) { announce(conn, 1); fmt.Fprint(conn, plainRecord) }, "0 of 1 sockets arrived"},
	} {
		t.Run(name, func(t *testing.T) {
			path := process(t, 7, test.answer)
			before := openFiles(t)
			taken, err := Handover{Sockets: []string{path}, Timeout: 10 * time.Second, Most: most}.Take(t.Context(), []int{7})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) || taken != nil {
				t.Errorf("%v, %v", taken, err)
			}
			deadline := time.Now().Add(10 * time.Second)
			for openFiles(t) > before && time.Now().Before(deadline) { // the other side of the connection
				<-time.After(time.Millisecond)
			}
			if now := openFiles(t); now > before {
				t.Errorf("%d descriptors, before %d", now, before)
			}
		})
	}
}

// Whatever part of the exchange does not end, and however the wait for it does.
func TestTakeIsBounded(t *testing.T) {
	fds, _ := listen(t, 1)
	for name, begin := range map[string]func(conn *net.UnixConn){
		"the number":                func(*net.UnixConn) {},
		"the first socket":          func(conn *net.UnixConn) { announce(conn, 2) },
		"the second socket":         func(conn *net.UnixConn) { announce(conn, 2); attach(conn, plainRecord, fds[0]) },
		"the rest of a record":      func(conn *net.UnixConn) { announce(conn, 1); attach(conn, "\x00", fds[0]) },
		"the socket after a record": func(conn *net.UnixConn) { announce(conn, 1); fmt.Fprint(conn, plainRecord) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hangs := process(t, 7, func(conn *net.UnixConn) {
				begin(conn)
				_, _ = io.Copy(io.Discard, conn)
			})
			begun := time.Now()
			_, err := Handover{Sockets: []string{hangs}, Timeout: 50 * time.Millisecond, Most: 9}.Take(t.Context(), []int{7})
			if !IsTimeout(err) {
				t.Error(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := (Handover{Sockets: []string{hangs}, Timeout: time.Hour, Most: 9}).Take(ctx, []int{7}); err == nil {
				t.Error("no error after the deadline")
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("after %v", took)
			}
		})
	}
}

// While a replaced generation shares the stats sockets, either may answer.
func TestTakeWaitsForTheRightProcess(t *testing.T) {
	t.Parallel()
	fds, _ := listen(t, 1)
	path := filepath.Join(t.TempDir(), "s.sock")
	var mu sync.Mutex
	asked := 0
	serve(t, path, func(conn *net.UnixConn) {
		mu.Lock()
		asked++
		pid := 6
		if asked > 3 {
			pid = 7
		}
		mu.Unlock()
		lines := bufio.NewReader(conn)
		for {
			line, err := lines.ReadString('\n')
			switch {
			case err != nil:
				return
			case line == handoverRequest:
				announce(conn, 1)
				attach(conn, plainRecord, fds...)
				return
			}
			fmt.Fprintf(conn, "Pid: %d\n\n> ", pid)
		}
	})
	h := Handover{Sockets: []string{path}, Timeout: 10 * time.Second, Most: 1}
	taken, err := h.Take(t.Context(), []int{7})
	if err != nil {
		t.Fatal(err)
	}
	taken.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := h.Take(ctx, []int{8}); !errors.Is(err, ErrOtherProcess) {
		t.Error(err)
	}
}

func TestGiveFailsForAnythingElse(t *testing.T) {
	t.Parallel()
	fds, _ := listen(t, 1)
	source := process(t, 7, func(conn *net.UnixConn) { announce(conn, 1); attach(conn, plainRecord, fds...) })
	kept, err := Handover{Sockets: []string{source}, Timeout: 10 * time.Second, Most: 1}.Take(t.Context(), []int{7})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	for name, test := range map[string]struct{ request, want string }{
		"another request":   {"show info\n", `requested "show info\n`},
		"no request":        {"", "read the request"},
		"no acknowledgment": {handoverRequest, "read the acknowledgment"},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "x.sock")
			given := make(chan error, 1)
			serve(t, socket, func(conn *net.UnixConn) { given <- kept.Give(conn) })
			conn, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, test.request)
			if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if err := <-given; err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "hand over 1 listening sockets") {
				t.Error(err)
			}
		})
	}
}

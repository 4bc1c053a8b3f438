package haproxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stub is a stats socket that answers each request with a function's result. The reply
// "hang" is never sent.
type stub struct {
	path string

	mu       sync.Mutex
	requests []string
	largest  int
}

func newStub(t *testing.T, answer func(request string) string) *stub {
	t.Helper()
	s := &stub{path: filepath.Join(t.TempDir(), "s.sock")}
	l, err := net.Listen("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(ctx, conn, answer) })
		}
	})
	t.Cleanup(func() { cancel(); l.Close(); serving.Wait() })
	return s
}

func (s *stub) serve(ctx context.Context, conn net.Conn, answer func(string) string) {
	defer conn.Close()
	line, err := bufio.NewReaderSize(conn, 1<<20).ReadString('\n')
	if err != nil {
		return
	}
	s.mu.Lock()
	s.largest = max(s.largest, len(line))
	s.mu.Unlock()
	for request := range strings.SplitSeq(strings.TrimSuffix(line, "\n"), ";") {
		s.mu.Lock()
		s.requests = append(s.requests, request)
		s.mu.Unlock()
		reply := answer(request)
		if reply == "hang" {
			<-ctx.Done()
			return
		}
		if reply != "" {
			reply += "\n"
		}
		fmt.Fprint(conn, reply+"\n")
	}
}

func TestAskKeepsOrderAndSplitsLongBatches(t *testing.T) {
	s := newStub(t, func(request string) string {
		if request == "show info" {
			return "Name: HAProxy\nPid: 7"
		}
		return "did " + request
	})
	var requests, want []string
	for i := range 1000 {
		requests = append(requests, fmt.Sprintf("set server web/web%d addr 10.0.0.1 port 80", i))
		want = append(want, "did "+requests[i])
	}
	got, err := Client{Path: s.path, Timeout: time.Minute}.AskProcess(t.Context(), 7, requests...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if s.largest > maxRequest {
		t.Errorf("a write of %d bytes", s.largest)
	}
}

func TestAskErrors(t *testing.T) {
	hang := newStub(t, func(string) string { return "hang" })
	if _, err := (Client{Path: hang.path, Timeout: 20 * time.Millisecond}).Ask(t.Context(), "show info"); !IsTimeout(err) {
		t.Errorf("a socket that hangs: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := (Client{Path: hang.path, Timeout: time.Minute}).Ask(ctx, "show info"); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled while it hangs: %v", err)
	}
	if _, err := (Client{Path: hang.path + ".none", Timeout: time.Second}).Ask(t.Context(), "show info"); err == nil {
		t.Error("no socket: no error")
	}
	other := newStub(t, func(string) string { return "Pid: 8" })
	if _, err := (Client{Path: other.path, Timeout: time.Minute}).AskProcess(t.Context(), 7, "x"); !errors.Is(err, ErrOtherProcess) {
		t.Errorf("another process: %v", err)
	}
}

func TestReadRepliesOfEveryVersion(t *testing.T) {
	for _, dir := range versions(t) {
		var text strings.Builder
		n := 0
		for line := range strings.Lines(golden(t, dir, "replies.txt")) {
			if strings.HasPrefix(line, "> ") {
				n++
				continue
			}
			text.WriteString(line)
		}
		got, err := readAll(strings.NewReader(text.String()), n, maxReply)
		if err != nil || len(got) != n {
			t.Errorf("%s: %d of %d replies, %v", dir, len(got), n, err)
			continue
		}
		if _, err := readAll(strings.NewReader(text.String()), n+1, maxReply); err == nil {
			t.Errorf("%s: one reply more than there is: no error", dir)
		}
	}
}

func TestLongReplyIsRejected(t *testing.T) {
	for limit, want := range map[int64]error{6: nil, 5: ErrReplyTooLong} {
		if _, err := readAll(strings.NewReader("1234\n\n"), 1, limit); !errors.Is(err, want) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

// readAll returns n replies of at most limit bytes together.
func readAll(r io.Reader, n int, limit int64) ([]string, error) {
	var kept replies
	err := scanReplies(r, n, limit, smallRead, kept.add)
	return kept.all, err
}

package query

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/haproxy-zk/haproxy-zk/events"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// follower is a client that follows the events.
type follower struct {
	t    *testing.T
	conn net.Conn
	*bufio.Reader
	response *http.Response
}

// follow requests a stream and reads the header of the answer.
func follow(t *testing.T, l *pipes, target string, headers ...string) *follower {
	t.Helper()
	f := &follower{t: t, conn: l.dial()}
	send(t, f.conn, "GET "+target+" HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"+strings.Join(append(headers, "\r\n"), "\r\n"))
	var err error
	if f.response, err = http.ReadResponse(bufio.NewReader(f.conn), nil); err != nil {
		t.Fatal(err)
	}
	f.Reader = bufio.NewReader(f.response.Body)
	return f
}

// next returns the next block, without its end; the end of the stream is "".
func (f *follower) next() string {
	f.t.Helper()
	var block strings.Builder
	for {
		line, err := f.ReadString('\n')
		if err != nil || line == "\n" {
			return strings.TrimSuffix(block.String(), "\n")
		}
		block.WriteString(line)
	}
}

// gets reads blocks that begin with these texts.
func (f *follower) gets(want ...string) {
	f.t.Helper()
	for _, text := range want {
		if got := f.next(); !strings.HasPrefix(got, text) || text == "" && got != "" {
			f.t.Errorf("got %q, want %q", got, text)
		}
	}
}

func block(n int) string { return fmt.Sprintf("id: %d\ndata: {\"seq\":%d,", n, n) }

// inStream runs a test with a server in a bubble. The server has ended when the test has.
func inStream(t *testing.T, test func(t *testing.T, l *pipes, ring *events.Ring, stop func() error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, ring := eventServer()
		l := newPipes()
		stop := sync.OnceValue(start(t, s, l))
		test(t, l, ring, stop)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestStreamFollowsEvents(t *testing.T) {
	inStream(t, func(t *testing.T, l *pipes, ring *events.Ring, _ func() error) {
		ring.Append(registry.Event{Kind: registry.EventStart})
		f := follow(t, l, "/events?proxy=ngboss")
		if got := f.response.Header.Get("Content-Type"); got != typeStream || f.response.StatusCode != http.StatusOK {
			t.Errorf("%d %s", f.response.StatusCode, got)
		}
		f.gets("retry: 3000")
		ring.Append(entered("ngboss", "web-ngboss", 1))
		ring.Append(entered("ecbusi", "web-treasury", 2))
		ring.Append(entered("ngboss", "web-ngboss", 3))
		f.gets(block(2), block(4))
		// It outlives the server's limits of 10 s for reading and 30 s for writing.
		begun := time.Now()
		f.gets(": nothing has happened", ": nothing has happened", ": nothing has happened")
		if took := time.Since(begun); took < 40*time.Second || took > time.Minute {
			t.Errorf("three comments in %v", took)
		}
		ring.Append(entered("ecbusi", "web-treasury", 4))
		f.gets(": nothing has happened\nid: 5")
		ring.Append(entered("ngboss", "web-ngboss", 5))
		f.gets(block(6))
		f.conn.Close()
	})
}

func TestStreamResumes(t *testing.T) {
	inStream(t, func(t *testing.T, l *pipes, ring *events.Ring, _ func() error) {
		for n := range 200 {
			ring.Append(entered("ngboss", "web-ngboss", n))
		}
		<-time.After(time.Hour)
		ring.Append(registry.Event{Kind: registry.EventReload, Proxy: "ngboss"})
		for _, c := range []struct {
			target, id string
			want       []string
		}{
			{"/events", "199", []string{block(200), block(201)}},
			{"/events?since=1m", "199", []string{block(200), block(201)}},
			{"/events?since=1m", "", []string{block(201)}},
			{"/events?kind=reload", "1", []string{block(201)}},
			{"/events", "201", nil},
			{"/events?kind=reload", "500", []string{"event: missed\ndata: {}", block(201)}},
		} {
			f := follow(t, l, c.target, "Last-Event-ID: "+c.id)
			f.gets("retry: 3000")
			f.gets(c.want...)
			f.gets(": nothing has happened")
			f.conn.Close()
		}
		f := follow(t, l, "/events", "Last-Event-ID: x")
		if body, err := io.ReadAll(f.response.Body); err != nil || f.response.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "is not the number of an event") {
			t.Errorf("%d %s %v", f.response.StatusCode, body, err)
		}
		f.conn.Close()

		for n := range 20_000 {
			ring.Append(entered("ngboss", "web-ngboss", n%250))
		}
		f = follow(t, l, "/events?kind=reload", "Last-Event-ID: 150")
		f.gets("retry: 3000", "event: missed\ndata: {}", block(201), ": nothing has happened\nid: 20201")
		f.conn.Close()
	})
}

// TestClientThatNeverReadsItsStream has a client that takes nothing beside one that does.
func TestClientThatNeverReadsItsStream(t *testing.T) {
	inStream(t, func(t *testing.T, l *pipes, ring *events.Ring, _ func() error) {
		deaf, reads := follow(t, l, "/events"), follow(t, l, "/events")
		reads.gets("retry: 3000")
		for n := range 20 {
			begun := time.Now()
			ring.Append(entered("ngboss", "web-ngboss", n))
			reads.gets(block(1 + n))
			if took := time.Since(begun); took > streamGap {
				t.Errorf("event %d came after %v", 1+n, took)
			}
			<-time.After(time.Second)
		}
		if rest, _ := io.ReadAll(deaf.conn); strings.Contains(string(rest), `"seq":20`) {
			t.Errorf("it was not cut: %s", rest)
		}
		deaf.conn.Close()
		reads.conn.Close()
	})
}

func TestStreamsAreBounded(t *testing.T) {
	inStream(t, func(t *testing.T, l *pipes, ring *events.Ring, _ func() error) {
		var all []*follower
		for range maxStreams {
			f := follow(t, l, "/events")
			f.gets("retry: 3000")
			all = append(all, f)
		}
		refused := follow(t, l, "/events")
		if r := refused.response; r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") != "3" {
			t.Errorf("%d %v", r.StatusCode, r.Header)
		}
		refused.conn.Close()
		other := l.dial()
		send(t, other, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
		if r, err := http.ReadResponse(bufio.NewReader(other), nil); err != nil || r.StatusCode != http.StatusOK {
			t.Errorf("events up to now: %v, %v", r, err)
		}
		other.Close()
		ring.Append(registry.Event{Kind: registry.EventStop})
		for _, f := range all {
			f.gets(block(1))
			f.conn.Close()
		}
		synctest.Wait()
		next := follow(t, l, "/events")
		next.gets("retry: 3000")
		next.conn.Close()
	})
}

// TestStreamsEndWithTheServer has a client that reads, and one that does not.
func TestStreamsEndWithTheServer(t *testing.T) {
	for _, reads := range []bool{true, false} {
		inStream(t, func(t *testing.T, l *pipes, ring *events.Ring, stop func() error) {
			f := follow(t, l, "/events")
			if reads {
				f.gets("retry: 3000")
			}
			<-time.After(time.Second)
			ring.Append(registry.Event{Kind: registry.EventStop})
			begun, ended := time.Now(), make(chan error)
			go func() { ended <- stop() }()
			if reads {
				f.gets(block(1), "")
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if took := time.Since(begun); took > time.Second {
				t.Errorf("it ended after %v, reads: %v", took, reads)
			}
			f.conn.Close()
		})
	}
}

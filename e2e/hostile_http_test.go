package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const asked = "GET /ngboss HTTP/1.1\r\nHost: x\r\n"

// hostileRequests are requests to the HTTP port, and the statuses of all answers. 0
// means that the answer may be lost: the port stops reading.
var hostileRequests = []struct {
	name, text string
	want       []int
}{
	{"a line break in the path", "GET /ngboss\r\nX: y HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}},
	{"an encoded line break", "GET /%0d%0aSet-Cookie:%20x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{404}},
	{"an escape in the path", "GET /\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}},
	{"a forged host", "GET /ngboss HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", []int{200}},
	{"another host in the line", "GET http://evil.example/ngboss HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{200}},
	{"no host", "GET /ngboss HTTP/1.1\r\n\r\n", []int{400}},
	{"two hosts", asked + "Host: y\r\n\r\n", []int{400}},
	{"HTTP/0.9", "GET /ngboss\r\n\r\n", []int{400}},
	{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{405}},
	{"TRACE", "TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{405}},
	{"CONNECT", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\nConnection: close\r\n\r\n", []int{405}},
	{"DELETE", "DELETE /ngboss/web-ngboss HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{405}},
	{"a length and chunks", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /ngboss HTTP/1.1\r\nHost: x\r\n\r\n", []int{405}},
	{"two lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", []int{400}},
	{"a request as the body", "GET /ngboss HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", []int{200}},
	{"many at once", strings.Repeat(asked+"\r\n", 49) + asked + "Connection: close\r\n\r\n", slices.Repeat([]int{200}, 50)},
	{"an unknown parameter", "GET /ngboss?%0d%0aSet-Cookie:%20x=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{400}},
	{"a wrong index and a wrong wait", "GET /?index=-1 HTTP/1.1\r\nHost: x\r\n\r\nGET /?index=1&wait=1e9h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{400, 400}},
	{"a malformed If-None-Match", asked + "If-None-Match: W/\"\x80, *\r\nConnection: close\r\n\r\n", []int{200}},
	{"a malformed Accept-Encoding", asked + "Accept-Encoding: gzip;q=1e9,;;=,\x80\r\nConnection: close\r\n\r\n", []int{200}},
	{"a long path", "GET /" + strings.Repeat("a", 100_000) + " HTTP/1.1\r\nHost: x\r\n\r\n", []int{431, 0}},
	{"a header of 10 MB", asked + "X: " + strings.Repeat("a", 10_000_000) + "\r\n\r\n", []int{431, 0}},
	{"10,000 headers", asked + strings.Repeat("X: y\r\n", 10_000) + "\r\n", []int{431, 0}},
}

// converse sends text to the HTTP port and returns the statuses of the answers, and all
// output.
func (s *stage) converse(text string) (statuses []int, all []byte, err error) {
	conn, err := net.DialTimeout("tcp", s.http, 5*time.Second)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		return nil, nil, err
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, text) // the port may stop reading
	}()
	all, err = io.ReadAll(conn)
	conn.Close()
	<-sent
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return nil, all, err
	}
	for r := bufio.NewReader(bytes.NewReader(all)); ; {
		if _, err := r.Peek(1); err != nil {
			return statuses, all, nil
		}
		answer, err := http.ReadResponse(r, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		if err != nil {
			return statuses, all, err
		}
		statuses = append(statuses, answer.StatusCode)
	}
}

// Whatever is sent to the HTTP port, it answers with valid HTTP, and nothing changes.
func TestHostileHTTP(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b, load := s.both()
		s.eventually("it is used", func() error { return used(load, []*rig.App{a, b}) })
		look := func() []any {
			text, err := os.ReadFile(s.config.ConfFile())
			_, answer := s.get("/")
			servers := errors.Join(s.compareWorkers(front, a), s.compareWorkers(base, b))
			return []any{string(text), answer, s.pids(), fmt.Sprint(err, servers), s.metric("haproxyzk_reloads_total"), s.metric("haproxyzk_commands_total")}
		}
		s.fileHas(front, a)
		s.fileHas(base, b)
		before := look()
		for _, request := range hostileRequests {
			statuses, all, err := s.converse(request.text)
			if lost := len(statuses) == 0 && slices.Contains(request.want, 0); err != nil || !lost && !slices.Equal(slices.DeleteFunc(slices.Clone(request.want), func(n int) bool { return n == 0 }), statuses) {
				t.Errorf("%s: statuses %v, want %v: %v\n%.500q", request.name, statuses, request.want, err, all)
			}
			if bytes.Contains(all, []byte("evil")) || bytes.Contains(all, []byte("\nSet-Cookie")) || bytes.ContainsRune(all, '\x1b') {
				t.Errorf("%s: it comes back: %.500q", request.name, all)
			}
		}
		if diff := cmp.Diff(before, look()); diff != "" {
			t.Errorf("something was changed: -before +now\n%s", diff)
		}
		s.lost(load)
		s.labelsOnly(front, base)
		s.cleanLog()
		s.stopped()
	})
}

// What clients make HAProxy log appears as one line of our log, marked as HAProxy's,
// without control characters.
func TestHostileLogLines(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		port := s.port()
		s.config.Template = strings.Replace(logTo(port), "frontend public\n", "frontend public\n    capture request header User-Agent len 200\n    option accept-invalid-http-request\n", 1)
		s.connect()
		s.run(s.configured(fmt.Sprintf("LOG_LISTEN=127.0.0.1:%d", port))...)
		s.ready()
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})

		conn, err := net.Dial("tcp", s.config.Listener())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /through\xc2\x9b2J\xe2\x80\xae HTTP/1.1\r\nHost: x\r\nUser-Agent: \x1b[2J\x9b]: 6.6.6.6:6 forged\xc2\x85\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Fatal(err)
		}
		direct, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer direct.Close()
		if _, err := io.WriteString(direct, "<134>Nov  3 10:00:00 haproxy[1]: directly \x1b[2J\x00\x7f\u009b\u2028\u202e\xff\n{\"time\":\"forged\"}\r\n"); err != nil {
			t.Fatal(err)
		}
		s.says("GET /through")
		s.says("directly")
		s.eventually("it is used", func() error { return used(load, []*rig.App{a}) })
		s.lost(load)
		s.stopped()
		s.cleanLog()
		for line := range strings.Lines(s.daemon.Output()) {
			hostile := strings.Contains(line, "forged") || strings.Contains(line, "/through") || strings.Contains(line, "directly")
			if hostile && !strings.Contains(line, `"msg":"access","component":"access",`) && (!strings.Contains(line, `"component":"haproxy"`) || !strings.Contains(line, `"msg":"haproxy","`)) {
				t.Errorf("it is not marked as HAProxy's: %s", line)
			}
		}
	})
}

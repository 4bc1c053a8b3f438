package query

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// estate returns a proxy of 200 groups of 10 instances.
func estate() *proxy {
	var groups []*registry.Group
	for i := range 200 {
		g := &registry.Group{Name: "web-" + strconv.Itoa(i)}
		for j := range 10 {
			g.Instances = append(g.Instances, instance(fmt.Sprintf("10.%d.0.%d:32800", i, j+1)))
		}
		groups = append(groups, g)
	}
	return serving("ngboss", groups...)
}

// round is a request on a connection that stays, and the reading of its answer.
func round(b *testing.B, conn net.Conn, r *bufio.Reader, request string) {
	if _, err := io.WriteString(conn, request); err != nil {
		b.Fatal(err)
	}
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		b.Fatal(err)
	}
	answer.Body.Close()
}

// BenchmarkGet compares GET / of 200 groups of 10 instances with a bare handler that
// writes the same bytes, in turn on two connections: ratio is the bare one's time, of the
// median request, divided by ours.
func BenchmarkGet(b *testing.B) {
	s := newServer(estate())
	body := slices.Clone(get(s, "/").Body.Bytes())
	tag := get(s, "/").Header().Get("Etag")
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	})
	for name, headers := range map[string]string{"plain": "", "304": "If-None-Match: " + tag + "\r\n", "gzip": "Accept-Encoding: gzip\r\n"} {
		b.Run(name, func(b *testing.B) {
			ours, plain := dialBench(b, all(s)), dialBench(b, bare)
			ourReader, plainReader := bufio.NewReaderSize(ours, 64<<10), bufio.NewReaderSize(plain, 64<<10)
			request := "GET / HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n"
			var took, floor []time.Duration
			for b.Loop() {
				begun := time.Now()
				round(b, plain, plainReader, request)
				between := time.Now()
				round(b, ours, ourReader, request)
				took, floor = append(took, time.Since(between)), append(floor, between.Sub(begun))
			}
			slices.Sort(took)
			slices.Sort(floor)
			b.ReportMetric(float64(floor[len(floor)/2])/float64(took[len(took)/2]), "ratio")
		})
	}
}

// dialBench serves a handler, and returns a connection to it.
func dialBench(b *testing.B, h http.Handler) net.Conn {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: writeTimeout}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		conn.Close()
		_ = server.Close()
		<-ended
	})
	return conn
}

// BenchmarkChange measures what a change costs its publisher, while queries are
// blocked for other documents, and for the one that changes.
func BenchmarkChange(b *testing.B) {
	for _, blocked := range []int{0, maxBlocked} {
		b.Run(fmt.Sprintf("%d blocked", blocked), func(b *testing.B) {
			p := estate()
			s := newServer(p)
			changed := make(chan struct{}, 1)
			s.changed = changed
			groups := p.Snapshot().Groups
			for i := range blocked {
				what := place{"ngboss", groups[1+i%199].Name}
				s.watches.watch(what, s.documents.index(what))
			}
			ctx := b.Context()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				s.wakeUp(ctx)
			}()
			b.Cleanup(func() { <-ended })
			for n := 0; b.Loop(); n++ {
				now := slices.Clone(groups)
				now[0].Instances = []registry.Instance{instance(fmt.Sprintf("10.0.0.1:%d", 1+n%60000))}
				p.snapshot.Store(&registry.Snapshot{Proxy: "ngboss", Groups: now})
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		})
	}
}

package query

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Who asks for the metrics is told them, however many ask and read nothing.
func TestMetricsBesideThoseWhoDoNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int64
		s := New(Options{
			Proxies: func() []Proxy { return nil },
			Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				running.Add(1)
				defer running.Add(-1)
				_, _ = w.Write(make([]byte, 1<<20))
			}),
			Logger: slog.New(slog.DiscardHandler),
		})
		l := newPipes()
		stop := start(t, s, l)
		var all []net.Conn
		for range 3 * maxScrapes {
			conn := l.dial()
			all = append(all, conn)
			go func() { _, _ = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") }()
		}
		synctest.Wait()
		if n := running.Load(); n != maxScrapes {
			t.Errorf("%d are told the metrics", n)
		}
		begun := time.Now()
		for range 3 {
			l.ask(t, "/metrics")
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("it took %v", took)
		}
		for _, conn := range all {
			conn.Close()
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

package query

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// One scrape too many waits for quick ones, but not forever.
func TestScrapesBeyondLimitWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		gathers := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })
		s := newScrapes()
		ask := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			s.handle(gathers, w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			return w
		}
		var asking sync.WaitGroup
		for range maxScrapes {
			asking.Go(func() { ask() })
		}
		synctest.Wait()
		begun := time.Now()
		if w := ask(); w.Code != http.StatusServiceUnavailable || time.Since(begun) != scrapeWait {
			t.Errorf("status %d after %v", w.Code, time.Since(begun))
		}
		asking.Go(func() {
			if w := ask(); w.Code != http.StatusOK {
				t.Errorf("status %d", w.Code)
			}
		})
		synctest.Wait()
		close(release)
		asking.Wait()
		if len(s.slots) > 0 || s.running.Len() > 0 {
			t.Errorf("%d places are taken, %d run", len(s.slots), s.running.Len())
		}
	})
}

// A scrape is answered however many others do not read their answer.
func TestScrapeBesideStalledScrapes(t *testing.T) {
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
			t.Errorf("%d scrapes were answered", n)
		}
		for _, conn := range all[maxScrapes:] {
			conn.Close() // they are waiting
		}
		<-time.After(scrapePatience) // the bubble's clock
		begun := time.Now()
		for range 3 {
			l.ask(t, "/metrics")
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("it took %v", took)
		}
		synctest.Wait()
		if n := running.Load(); n != maxScrapes-1 {
			t.Errorf("%d scrapes were answered", n)
		}
		for _, conn := range all {
			conn.Close()
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

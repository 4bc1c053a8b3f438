package query

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// feed is a server of proxies that change, on a listener without a network.
type feed struct {
	*Server
	t       *testing.T
	a, b    *proxy
	proxies atomic.Pointer[[]Proxy]
	changed chan struct{}
	pipes   *pipes
	stop    func() error
}

// startFeed must be called in a synctest bubble; the server ends with the test. connections
// is the limit of each kind, 0 the usual ones.
func startFeed(t *testing.T, connections int) *feed {
	t.Helper()
	f := &feed{
		t: t, pipes: newPipes(), changed: make(chan struct{}, 1),
		a: serving("a", group("web", "10.0.0.1:1"), group("api", "10.0.0.2:1")), b: serving("b", group("web", "10.0.0.3:1")),
	}
	f.proxies.Store(&[]Proxy{f.a, f.b})
	f.Server = newServer()
	f.documents.proxies = func() []Proxy { return *f.proxies.Load() }
	f.Server.changed = f.changed
	if connections > 0 {
		f.limit.maximum, f.limit.maximumBlocked = connections, connections
	}
	stop := start(t, f.Server, f.pipes)
	var stopped bool
	f.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		return stop()
	}
	t.Cleanup(func() {
		if err := f.stop(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// publish replaces the groups of a proxy.
func (f *feed) publish(p *proxy, groups ...*registry.Group) {
	p.snapshot.Store(&registry.Snapshot{Proxy: p.Snapshot().Proxy, Groups: groups})
	f.note()
}

func (f *feed) note() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// answered is an answer, with when it came.
type answered struct {
	status int
	index  uint64
	after  time.Duration
	err    error
	retry  string
}

// client is a connection with requests.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
}

func (f *feed) connect() *client {
	conn := f.pipes.dial()
	f.t.Cleanup(func() { conn.Close() })
	return &client{conn, bufio.NewReader(conn)}
}

// ask sends a request and returns the channel of its answer.
func (c *client) ask(target string) <-chan answered {
	answer := make(chan answered, 1)
	begun := time.Now()
	go func() {
		if _, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target); err != nil {
			answer <- answered{err: err}
			return
		}
		r, err := http.ReadResponse(c.reader, nil)
		if err != nil {
			answer <- answered{err: err}
			return
		}
		defer r.Body.Close()
		_, err = bufio.NewReader(r.Body).ReadString('\n')
		index, _ := strconv.ParseUint(r.Header.Get("Haproxy-Zk-Index"), 10, 64)
		answer <- answered{r.StatusCode, index, time.Since(begun), err, r.Header.Get("Retry-After")}
	}()
	return answer
}

// index returns the current index of a document.
func (f *feed) index(target string) uint64 {
	f.t.Helper()
	index, err := strconv.ParseUint(get(f.Server, target).Header().Get("Haproxy-Zk-Index"), 10, 64)
	if err != nil {
		f.t.Fatal(err)
	}
	return index
}

// blocked returns the number of blocked queries.
func (f *feed) blocked() int {
	f.limit.mu.Lock()
	defer f.limit.mu.Unlock()
	return f.limit.blocked.Len()
}

func TestBlockedQueryIsAnsweredAtChange(t *testing.T) {
	for _, c := range []struct {
		name, target string
		change       func(f *feed)
		wakes        bool
	}{
		{"a group of its instances", "/a/web", func(f *feed) { f.publish(f.a, group("web", "10.0.0.9:1"), group("api", "10.0.0.2:1")) }, true},
		{"a proxy of its groups", "/a", func(f *feed) { f.publish(f.a, group("web", "10.0.0.1:1"), group("api", "10.0.0.9:1")) }, true},
		{"a proxy of the groups' order", "/a", func(f *feed) { f.publish(f.a, group("api", "10.0.0.2:1"), group("web", "10.0.0.1:1")) }, true},
		{"everything of one proxy", "/", func(f *feed) { f.publish(f.b) }, true},
		{"everything of a removed proxy", "/", func(f *feed) { f.proxies.Store(&[]Proxy{f.a}); f.note() }, true},
		{"another group", "/a/web", func(f *feed) { f.publish(f.a, group("web", "10.0.0.1:1"), group("api")) }, false},
		{"another proxy", "/a", func(f *feed) { f.publish(f.b) }, false},
		{"what no document shows", "/", func(f *feed) {
			s := *f.a.Snapshot()
			s.Down = []string{"web"}
			f.a.snapshot.Store(&s)
			f.note()
		}, false},
		{"an equal list", "/a/web", func(f *feed) { f.publish(f.a, group("web", "10.0.0.1:1"), group("api", "10.0.0.2:1")) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startFeed(t, 0)
				known := f.index(c.target)
				answer := f.connect().ask(fmt.Sprintf("%s?index=%d&wait=8s", c.target, known))
				<-time.After(time.Second)
				c.change(f)
				got := <-answer
				now := f.index(c.target)
				want := answered{status: http.StatusOK, index: now, after: time.Second + wakeDelay}
				if c.wakes && (got != want || now <= known) {
					t.Errorf("got %+v, want %+v; before %d", got, want, known)
				}
				if !c.wakes && (got.index != known || got.after < 8*time.Second || got.after > 8500*time.Millisecond) {
					t.Errorf("woken without a change: %+v; before %d", got, known)
				}
			})
		})
	}
}

func TestBlockedQueryOfRemovedGroupIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFeed(t, 0)
		answer := f.connect().ask(fmt.Sprintf("/a/web?index=%d", f.index("/a/web")))
		synctest.Wait()
		f.publish(f.a)
		if got := <-answer; got.status != http.StatusNotFound || got.after != wakeDelay {
			t.Errorf("got %+v", got)
		}
	})
}

// An index that is not the current one is answered at once: an older one, 0, and one of an
// earlier process whose clock was ahead.
func TestOtherIndexIsAnsweredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFeed(t, 0)
		known := f.index("/")
		for _, index := range []uint64{0, 1, known - 1, known + 1, 1<<64 - 1} {
			if got := <-f.connect().ask(fmt.Sprintf("/?index=%d&wait=10m", index)); got != (answered{status: 200, index: known}) {
				t.Errorf("index %d: got %+v", index, got)
			}
		}
		if got := <-f.connect().ask(fmt.Sprintf("/?index=%d&wait=0s", known)); got != (answered{status: 200, index: known}) {
			t.Errorf("without a wait: got %+v", got)
		}
	})
}

// A process that starts later has larger indices, whatever the earlier one counted.
func TestIndicesGrowOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := startFeed(t, 0)
		for i := range 1000 {
			before.publish(before.a, group("web", fmt.Sprintf("10.0.0.1:%d", i+1)))
			before.index("/")
		}
		<-time.After(time.Second)
		if earlier, later := before.index("/"), startFeed(t, 0).index("/"); later <= earlier {
			t.Errorf("index %d after a restart, %d before", later, earlier)
		}
	})
}

// A burst of changes is one answer, with the last of them.
func TestBurstIsAnsweredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFeed(t, 0)
		answer := f.connect().ask(fmt.Sprintf("/a?index=%d", f.index("/a")))
		synctest.Wait()
		for i := range 10 {
			f.publish(f.a, group("web", fmt.Sprintf("10.0.0.1:%d", i+1)))
			<-time.After(time.Millisecond)
		}
		if got := <-answer; got != (answered{status: http.StatusOK, index: f.index("/a"), after: wakeDelay}) {
			t.Errorf("got %+v, the last change has index %d", got, f.index("/a"))
		}
	})
}

// A wait may be longer than the deadlines of a connection. The connection is used again
// afterwards, with its usual deadlines.
func TestLongWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFeed(t, 0)
		c := f.connect()
		for range 2 {
			got := <-c.ask(fmt.Sprintf("/a?index=%d&wait=10m", f.index("/a")))
			if got.err != nil || got.after < maxWait || got.after > maxWait+maxWait/jitterPart {
				t.Errorf("got %+v", got)
			}
		}
		if got := <-c.ask(fmt.Sprintf("/a?index=%d", f.index("/a"))); got.after < defaultWait || got.after > defaultWait*17/16 {
			t.Errorf("without a wait: got %+v", got)
		}
		if _, err := c.conn.Read(make([]byte, 1)); err == nil {
			t.Error("the connection stays open")
		}
	})
}

func TestBlockedQueriesEndAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFeed(t, 0)
		var answers []<-chan answered
		for range 10 {
			answers = append(answers, f.connect().ask(fmt.Sprintf("/?index=%d&wait=10m", f.index("/"))))
		}
		synctest.Wait()
		begun := time.Now()
		if err := f.stop(); err != nil {
			t.Error(err)
		}
		for _, answer := range answers {
			if got := <-answer; got.status != http.StatusOK || got.after > 0 {
				t.Errorf("got %+v", got)
			}
		}
		// Shutdown looks whether all is idle every half second at most.
		if took := time.Since(begun); took > 600*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestBlockedQueryEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFeed(t, 0)
		c := f.connect()
		c.ask(fmt.Sprintf("/?index=%d&wait=10m", f.index("/")))
		<-time.After(20 * time.Second) // longer than a request may take to arrive
		if n := f.blocked(); n != 1 || !f.watches.any() {
			t.Errorf("%d blocked", n)
		}
		c.conn.Close()
		synctest.Wait()
		if n := f.blocked(); n != 0 || f.watches.any() {
			t.Errorf("%d blocked after the client has gone", n)
		}
	})
}

// As many blocked queries as are allowed leave the connections of others alone; the next one gets an
// error.
func TestBlockedQueriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 100
		f := startFeed(t, most)
		other := f.connect()
		<-other.ask("/healthz")
		var answers []<-chan answered
		for i := range most {
			target := []string{"/", "/a", "/a/web", "/b"}[i%4]
			answers = append(answers, f.connect().ask(fmt.Sprintf("%s?index=%d&wait=10m", target, f.index(target))))
		}
		synctest.Wait()
		if n := f.blocked(); n != most {
			t.Errorf("%d blocked", n)
		}
		if got := <-f.connect().ask(fmt.Sprintf("/?index=%d", f.index("/"))); got.status != http.StatusServiceUnavailable || got.after > 0 || got.retry != "5" {
			t.Errorf("beyond the bound: got %+v", got)
		}
		for range most - 2 {
			f.connect()
		}
		synctest.Wait()
		if got := <-other.ask("/healthz"); got.status != http.StatusOK {
			t.Errorf("another connection was closed: %+v", got)
		}
		f.publish(f.a, group("web", "10.0.0.9:1"))
		f.publish(f.b)
		for i, answer := range answers {
			if got := <-answer; got.status != http.StatusOK || got.err != nil {
				t.Errorf("query %d: %+v", i, got)
			}
		}
		synctest.Wait()
		if got := <-other.ask("/healthz"); got.status != http.StatusOK {
			t.Errorf("another connection was closed after the change: %+v", got)
		}
		if n := f.blocked(); n != 0 || f.watches.any() {
			t.Errorf("%d blocked afterwards", n)
		}
	})
}

// A client that does not read its answer is cut, and keeps its place until then: otherwise
// each change would make room for more of them.
func TestBlockedQueryWhoseAnswerIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFeed(t, 0)
		conn := f.connect().conn
		if _, err := fmt.Fprintf(conn, "GET /?index=%d&wait=10m HTTP/1.1\r\nHost: x\r\n\r\n", f.index("/")); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		f.publish(f.a)
		<-time.After(writeTimeout - time.Second)
		if n := f.blocked(); n != 1 {
			t.Errorf("%d have a place", n)
		}
		<-time.After(2 * time.Second)
		if n := f.blocked(); n != 0 {
			t.Errorf("%d have a place afterwards", n)
		}
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Error("it is still open")
		}
	})
}

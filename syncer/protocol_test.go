package syncer

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A server that breaks the protocol at every connection does not change the known
// instances. Its connections are closed and opened again at a decreasing rate, and not
// all of them are logged. Once it behaves, everything works again.
func TestProtocolViolationsKeepInstances(t *testing.T) {
	for name, test := range wrongAnswers {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fakeServer, c *client) {
				after(time.Minute)
				before := c.log.lines.Load()
				f.drop(lie)
				f.lock(func() { f.lieBytes, f.dials = test.said, nil })
				f.set("/root/g0", "10.0.0.2:80")
				after(time.Minute)
				c.expect(2, "g0", "10.0.0.1:80")
				if logged := c.log.lines.Load() - before; logged < 2 || logged > 12 {
					t.Errorf("%d lines of the log in a minute", logged)
				}
				f.lock(func() {
					if n := len(f.dials); n < 12 || n > 120 {
						t.Errorf("%d dials in a minute", n)
					}
				})
				f.drop(serve)
				after(1200 * time.Millisecond)
				c.expect(3, "g0", "10.0.0.2:80")
			})
		})
	}
}

func TestFaultIsReportedAsProblem(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeServer, c *client) {
		f.lock(func() {
			for p := range f.peers {
				p.out <- wrongAnswers["shorter than a head"].said
			}
			f.mode = refuse
		})
		synctest.Wait()
		if problem := c.ConnectionStatus().Problem; problem != "connection to zk:2181 ended: invalid response: length 4" {
			t.Error(problem)
		}
	})
}

// If a request stays unanswered while pings are answered, the next server is tried.
func TestServerThatOnlyAnswersPings(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeServer, c *client) {
		f.lock(func() { f.mode, f.dials = idle, nil })
		f.set("/root/g0", "10.0.0.2:80")
		after(2 * f.granted)
		f.lock(func() {
			if len(f.dials) == 0 {
				t.Error("it stays connected")
			}
		})
		f.drop(serve)
		after(1200 * time.Millisecond)
		c.expect(3, "g0", "10.0.0.2:80")
	})
}

// FuzzFrames checks, with the library, that whatever a server sends after the handshake
// costs at most a connection: no panic, no memory for bytes that did not arrive, no
// goroutine, and no list once the server behaves.
func FuzzFrames(f *testing.F) {
	f.Fuzz(func(t *testing.T, said []byte) {
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		synctest.Test(t, func(t *testing.T) {
			s := newFakeServer()
			s.mode, s.lieBytes = lie, said
			s.children["/root/g0"] = []string{"10.0.0.1:80"}
			s.granted = 2 * time.Second
			c := newClient(t, s.connect, []string{"zk:2181"}, 2)
			c.options.SafetyReread = 2 * time.Second
			c.start()
			after(2 * watchLag)
			s.drop(serve)
			after(10 * time.Second) // the session, and then the watch, may be of no use
			if got := c.list("g0"); !slices.Equal(got, []string{"10.0.0.1:80"}) {
				t.Errorf("the list is %v", got)
			}
			if took := c.stop(); took > time.Second {
				t.Errorf("stopped after %v", took)
			}
		})
		runtime.ReadMemStats(&now)
		if took := now.TotalAlloc - before.TotalAlloc; took > 32<<20+uint64(20*len(said)) {
			t.Errorf("%d MB for %d bytes", took>>20, len(said))
		}
	})
}

package syncer

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The race detector sometimes fails with more goroutines than its 255 slots; e2e tests a
// thousand groups.
const manyGroups = 200

// opChildren reads children, with or without a watch.
const opChildren = 12

// withManyGroups runs a test with a fake server and many groups, half of which have no
// path yet.
func withManyGroups(t *testing.T, change func(*Options), test func(t *testing.T, f *fakeServer, c *client)) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeServer()
		for i := range manyGroups / 2 {
			f.children[fmt.Sprint("/root/g", i)] = []string{"10.0.0.1:80"}
		}
		c := newClient(t, f.connect, []string{"zk:2181"}, manyGroups)
		if change != nil {
			o := c.options
			change(&o)
			c.Syncer = New(o)
			c.connect = f.connect
		}
		c.start()
		after(time.Second)
		test(t, f, c)
		c.stop()
	})
}

// reads returns how often children were read since the last call.
func (f *fakeServer) reads() (n int) {
	f.lock(func() { n, f.asked[opChildren] = f.asked[opChildren], 0 })
	return n
}

func TestNothingIsReadWhenWatchesSurvive(t *testing.T) {
	withManyGroups(t, func(o *Options) { o.SafetyReread = time.Hour }, func(t *testing.T, f *fakeServer, c *client) {
		f.reads()
		for range 5 {
			f.drop(serve)
			after(2 * time.Second)
		}
		if n := f.reads(); n != 0 || !c.ConnectionStatus().Connected {
			t.Errorf("%d reads after reconnects that lost nothing", n)
		}
		if len(f.marks) == 0 {
			t.Error("no watches were set again")
		}

		// Only changes made meanwhile are read: a list, and a path that was created.
		f.drop(refuse)
		after(time.Second)
		f.set("/root/g7", "10.0.0.2:80")
		f.set("/root/g190", "10.0.0.3:80")
		f.lock(func() { f.mode = serve })
		after(2 * time.Second)
		if n := f.reads(); n != 2 {
			t.Errorf("%d reads for two changes", n)
		}
		c.expect(manyGroups+2, "g7", "10.0.0.2:80")
		c.expect(manyGroups+2, "g190", "10.0.0.3:80")
	})
}

func TestEachGroupIsReadOnceAfterExpiry(t *testing.T) {
	withManyGroups(t, nil, func(t *testing.T, f *fakeServer, c *client) {
		f.reads()
		f.lock(func() { clear(f.sessions) })
		f.drop(refuse)
		f.set("/root/g7", "10.0.0.2:80")
		after(time.Second)
		f.lock(func() { f.mode = serve })
		after(2 * time.Second)
		if n := f.reads(); n != manyGroups {
			t.Errorf("%d reads of %d groups", n, manyGroups)
		}
		c.expect(manyGroups+1, "g7", "10.0.0.2:80")
		after(10 * time.Second)
		if n := f.reads(); n != 0 {
			t.Errorf("%d reads afterwards", n)
		}
	})
}

func TestReadsAreSpread(t *testing.T) {
	withManyGroups(t, nil, func(t *testing.T, f *fakeServer, _ *client) {
		f.lock(func() { clear(f.sessions) })
		f.drop(serve)
		f.reads()
		most, sum := 0, 0
		for range 200 {
			<-time.After(10 * time.Millisecond) // the bubble's clock
			n := f.reads()
			most, sum = max(most, n), sum+n
		}
		if sum != manyGroups || most > manyGroups/4 {
			t.Errorf("%d reads, %d within 10 ms", sum, most)
		}
	})
}

// The server loses all watches.
func TestLostWatchIsSetAgain(t *testing.T) {
	withManyGroups(t, func(o *Options) { o.SafetyReread = 10 * time.Second }, func(_ *testing.T, f *fakeServer, c *client) {
		f.lock(func() {
			for p := range f.peers {
				clear(p.watched)
			}
		})
		f.set("/root/g7", "10.0.0.2:80")
		after(manyGroups * safetyEach * 3 / 2)
		c.expect(manyGroups+1, "g7", "10.0.0.2:80")
		f.set("/root/g7", "10.0.0.3:80") // it is watched again
		synctest.Wait()
		c.expect(manyGroups+2, "g7", "10.0.0.3:80")
	})
}

// A host name resolves to another address while the syncer is connected.
func TestServerNameThatChangesAddress(t *testing.T) {
	servers := [2]*fakeServer{newFakeServer(), newFakeServer()}
	var addresses [2]string
	for i, f := range servers {
		f.children["/root/g0"] = []string{fmt.Sprintf("10.0.0.%d:80", i+1)}
		addresses[i] = listen(t, f.handle)
	}
	var now atomic.Int32 // the resolver's answer
	c := newClient(t, func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != "zk.example:2181" {
			return nil, &net.DNSError{Err: "no such host", Name: address}
		}
		return (&net.Dialer{}).DialContext(ctx, network, addresses[now.Load()])
	}, []string{"zk.example:2181"}, 1)
	has := func(instance string) func() bool {
		return func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.groups["g0"]) == 1 && c.groups["g0"][0] == instance
		}
	}
	c.start()
	defer c.stop()
	until(t, "the first server's list", has("10.0.0.1:80"))
	now.Store(1)
	before := time.Now()
	servers[0].drop(refuse)
	until(t, "the second server's list", has("10.0.0.2:80"))
	if took := time.Since(before); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

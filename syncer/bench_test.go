package syncer

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// libraryOn connects the library to a server as a session does.
func libraryOn(b *testing.B, f *fakeServer) *zk.Conn {
	b.Helper()
	d := newDialer(b.Context(), f.connect, 1)
	d.problem = func(problem string) { b.Error(problem) }
	d.heard, d.cut = func() {}, func() {}
	d.timeout = 10 * time.Second
	h := newHosts(d.connected)
	c, _, err := zk.Connect([]string{"zk:2181"}, 10*time.Second, zk.WithHostProvider(h), zk.WithDialer(d.dial), zk.WithMaxBufferSize(maxAnswer), zk.WithLogInfo(false))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		c.Close()
		h.stop()
		h.unpark()
		d.close()
	})
	return c
}

func children(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("10.%d.%d.%d:%d", i>>16&255, i>>8&255, i&255, 30000+i%1000)
	}
	return names
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := newFakeServer()
			f.children["/g"] = children(n)
			c := libraryOn(b, f)
			b.ReportAllocs()
			for b.Loop() {
				if got, _, err := c.Children("/g"); err != nil || len(got) != n {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}

// BenchmarkGroups reads 20,000 groups of ten, as after a reconnect.
func BenchmarkGroups(b *testing.B) {
	const groups = 20_000
	f := newFakeServer()
	for i := range groups {
		f.children[fmt.Sprint("/g", i)] = children(10)
	}
	c := libraryOn(b, f)
	b.ReportAllocs()
	for b.Loop() {
		var reading sync.WaitGroup
		for worker := range 100 {
			reading.Go(func() {
				for i := worker; i < groups; i += 100 {
					if _, _, err := c.Children(fmt.Sprint("/g", i)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		reading.Wait()
	}
}

package stats

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const benchGroups, benchInstances = 1000, 20

// estate is a fleet of one worker with 1,000 groups of 20 instances.
type estate struct {
	fakeFleet
	snapshot *registry.Snapshot
}

func (e *estate) Snapshot() *registry.Snapshot { return e.snapshot }

func newEstate(b *testing.B) *estate {
	b.Helper()
	w := startWorker(b, 11)
	e := &estate{snapshot: &registry.Snapshot{Proxy: "web"}}
	var stat strings.Builder
	for g := range benchGroups {
		group := registry.Group{Name: fmt.Sprintf("application-%d", g)}
		for i := range benchInstances {
			addr := instance(g*benchInstances + i)
			group.Instances = append(group.Instances, registry.Instance{Addr: addr})
			// As long as the lines of HAProxy 2.6.
			fmt.Fprintf(&stat, "%s,%s%d,0,1,,%d,123456789,1234567890,,0,UP,1,2,2,5,0,12345%d,12,123,1,0,,%s,%s\n", group.Name, group.Name, i+1, 100000+i, i, addr, strings.Repeat(",", 230))
		}
		e.snapshot.Groups = append(e.snapshot.Groups, &group)
		fmt.Fprintf(&stat, "%s,BACKEND,0,1,100,200000,123456789,1234567890,0,0,UP,1,,1,5,0,200000,0,0,0,0,200000,,\n", group.Name)
	}
	w.replies(stat.String())
	e.serve(w)
	return e
}

// discard is a client that reads everything.
type discard struct {
	header http.Header
	bytes  int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(b []byte) (int, error) {
	d.bytes += len(b)
	return len(b), nil
}

// spent returns the CPU time of this process, in seconds.
func spent(b *testing.B) float64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkScrape measures a scrape of 20,000 instances, from the question to HAProxy to
// the last byte, with the fake HAProxy in the same process.
func BenchmarkScrape(b *testing.B) {
	for _, encoding := range []string{"gzip", "identity"} {
		b.Run(encoding, func(b *testing.B) {
			e := newEstate(b)
			c, passes := e.collector(prometheus.NewRegistry())
			c.Follow(e)
			page := NewPage(prometheus.NewRegistry(), func() []*Collector { return []*Collector{c} })
			client := &discard{header: make(http.Header)}
			b.ReportAllocs()
			begun, n := spent(b), 0
			for b.Loop() {
				n++
				passes(maxAge)
				client.bytes = 0
				request := httptest.NewRequestWithContext(b.Context(), "GET", "/metrics", nil)
				request.Header.Set("Accept-Encoding", encoding)
				page.ServeHTTP(client, request)
			}
			b.ReportMetric((spent(b)-begun)*1e3/float64(n), "cpu-ms/scrape")
			b.ReportMetric(float64(client.bytes)/1e6, "MB/scrape")
		})
	}
}

func BenchmarkParts(b *testing.B) {
	e := newEstate(b)
	c, passes := e.collector(prometheus.NewRegistry())
	c.Follow(e)
	var r *Reading
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			passes(maxAge)
			var err error
			if r, err = c.Read(b.Context()); err != nil || r.Workers != 1 {
				b.Fatal(r, err)
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			if err := writeText(io.Discard, []*Reading{r}, false); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkMemory measures what the collector keeps between two readings.
func BenchmarkMemory(b *testing.B) {
	used := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	e := newEstate(b)
	c, passes := e.collector(prometheus.NewRegistry())
	c.Follow(e)
	before := used()
	for b.Loop() {
		passes(maxAge)
		if _, err := c.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((used()-before)/(benchGroups*benchInstances), "B/instance")
	runtime.KeepAlive(c)
}

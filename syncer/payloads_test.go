package syncer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// reader runs a syncer of the group g at /g, whose format is given, on a fake server in a
// bubble, and is its sink.
type reader struct {
	*testing.T
	syncer *Syncer
	server *fakeServer
	names  map[string][]string // of the fake name server

	mu   sync.Mutex
	last registry.Group
	n    int
}

func (r *reader) SetGroup(g registry.Group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = g
	r.n++
}

func (r *reader) SetGroups(registry.Discovered) {}

func (r *reader) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var addrs []netip.Addr
	for _, a := range r.names[host] {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	if addrs == nil {
		return nil, &net.DNSError{IsNotFound: true}
	}
	return addrs, nil
}

// expect waits until the bubble is idle, and compares the last list and the number of
// reads of data since the last call. An instance is followed by its terms.
func (r *reader) expect(reads int, want ...string) {
	r.Helper()
	synctest.Wait()
	r.mu.Lock()
	var got []string
	for _, i := range r.last.Instances {
		text := i.String()
		if t, given := r.last.Terms[i]; given {
			text += fmt.Sprintf(" %v %d", t.Drain, t.Weight)
		}
		got = append(got, text)
	}
	r.mu.Unlock()
	if d := cmp.Diff(want, got); d != "" {
		r.Errorf("-want +got\n%s", d)
	}
	var asked int
	r.server.lock(func() {
		asked = r.server.asked[opGetData]
		r.server.asked[opGetData] = 0
	})
	if asked != reads {
		r.Errorf("%d reads of data, want %d", asked, reads)
	}
}

// found returns kind, count and example of each finding of the group.
func (r *reader) found() (found []string) {
	for _, g := range r.syncer.Registrations() {
		for _, f := range g.Findings {
			if f.Kind != registry.Persistent {
				found = append(found, fmt.Sprintf("%s %d %s", f.Kind, f.Count, f.Example))
			}
		}
	}
	return found
}

func read(t *testing.T, format decode.Format, tell func(r *reader)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &reader{T: t, server: newFakeServer(), names: make(map[string][]string)}
		r.syncer = New(Options{
			Proxy: "p", Servers: []string{"zk:2181"}, Sink: r, Metrics: NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler),
			Groups: []Group{{Name: "g", Path: "/g", Decoder: decode.New(decode.Options{Format: format})}}, Lookup: r.lookup,
		})
		r.syncer.connect = r.server.connect
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.syncer.Run(ctx) }()
		tell(r)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func pass(d time.Duration) { <-time.After(d) }

func TestOneChangeOfDataCostsOneRead(t *testing.T) {
	read(t, decode.Data, func(r *reader) {
		r.server.data["/g/a"], r.server.data["/g/b"] = "10.0.0.1:80", "10.0.0.2:80:500"
		r.server.set("/g", "a", "b")
		pass(time.Second)
		r.expect(2, "10.0.0.1:80", "10.0.0.2:80 false 50")
		r.server.write("/g/b", "10.0.0.2:80:250", false)
		r.expect(1, "10.0.0.1:80", "10.0.0.2:80 false 25")
		r.server.write("/g/b", "10.0.0.2:80:0", false)
		r.expect(1, "10.0.0.1:80", "10.0.0.2:80 true 0")
		r.server.set("/g", "a", "b", "c")
		r.expect(1, "10.0.0.1:80", "10.0.0.2:80 true 0")
		r.server.write("/g/c", "10.0.0.3:80", false)
		r.expect(1, "10.0.0.1:80", "10.0.0.2:80 true 0", "10.0.0.3:80")
		r.server.set("/g", "c")
		r.expect(0, "10.0.0.3:80")
	})
}

// An instance that restarts quickly creates a node of the same name before the list is
// read: the list is the same.
func TestChildThatIsReplacedIsReadAgain(t *testing.T) {
	read(t, decode.Data, func(r *reader) {
		r.server.data["/g/a"] = "10.0.0.1:80"
		r.server.set("/g", "a")
		pass(time.Second)
		r.expect(1, "10.0.0.1:80")
		r.server.lock(func() {
			r.server.zxid++
			r.server.data["/g/a"] = "10.0.0.9:80"
			r.server.fireData("/g/a", deleted, false)
		})
		r.expect(1, "10.0.0.9:80")
		r.server.write("/g/a", "10.0.0.8:80", false)
		r.expect(1, "10.0.0.8:80")
	})
}

func TestUndecodableChildHidesNoOther(t *testing.T) {
	read(t, decode.Auto, func(r *reader) {
		r.server.unreadable = map[string]bool{"/g/secret": true}
		r.server.data["/g/huge"] = strings.Repeat("x", 2<<20)
		r.server.data["/g/json"] = `{"a":`
		r.server.data["/g/fine"] = "10.0.0.1:80"
		r.server.data["/g/member_0000000001"] = `{"serviceEndpoint":{"host":"10.0.0.2","port":80},"status":"STARTING"}`
		r.server.set("/g", "fine", "huge", "json", "secret", "member_0000000001", "configurators", "10.0.0.3:80")
		pass(time.Second)
		r.expect(13, "10.0.0.1:80", "10.0.0.3:80") // huge makes the answer too long: it is read in halves
		want := []string{"payload 1 huge", "payload 1 json", "unreadable 1 secret", "waiting 1 member_0000000001"}
		got := r.found()
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
		r.server.write("/g/json", "10.0.0.4:80", false)
		r.expect(1, "10.0.0.1:80", "10.0.0.3:80", "10.0.0.4:80")
		formats := r.syncer.Registrations()[0].Formats
		if d := cmp.Diff(map[string]int{"data": 2}, formats); d != "" {
			t.Errorf("formats: -want +got\n%s", d)
		}
	})
}

func TestPlainNamesCostOneRead(t *testing.T) {
	read(t, decode.Auto, func(r *reader) {
		r.server.set("/g", "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")
		pass(time.Second)
		r.expect(1, "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")
		r.server.set("/g", "10.0.0.2:80", "10.0.0.3:80")
		r.expect(1, "10.0.0.2:80", "10.0.0.3:80")
	})
}

func TestNamesOfDubboAreNotItsPorts(t *testing.T) {
	payload := func(port int) string {
		return fmt.Sprintf(`{"address":"10.0.0.1","port":20880,"payload":{"metadata":{"dubbo.endpoints":"[{\"port\":20880,\"protocol\":\"dubbo\"},{\"port\":%d,\"protocol\":\"tri\"}]"}},"serviceType":"DYNAMIC"}`, port)
	}
	read(t, decode.Auto, func(r *reader) {
		r.server.data["/g/10.0.0.1:20880"], r.server.data["/g/10.0.0.2:20880"] = payload(50051), payload(50052)
		r.server.set("/g", "10.0.0.1:20880", "10.0.0.2:20880")
		pass(time.Second)
		r.expect(2, "10.0.0.1:50051", "10.0.0.1:50052")
	})
}

func TestDataIsReadAgainInANewSession(t *testing.T) {
	read(t, decode.Data, func(r *reader) {
		r.server.data["/g/a"], r.server.data["/g/b"] = "10.0.0.1:80", "10.0.0.2:80"
		r.server.set("/g", "a", "b")
		pass(time.Second)
		r.expect(2, "10.0.0.1:80", "10.0.0.2:80")

		// The session survives: its watches are set again, and report what has changed.
		r.server.drop(refuse)
		r.server.write("/g/a", "10.0.0.9:80", false)
		r.server.lock(func() { r.server.mode = serve })
		pass(5 * time.Second)
		r.expect(1, "10.0.0.2:80", "10.0.0.9:80")

		r.server.drop(refuse)
		r.server.write("/g/b", "10.0.0.8:80", false)
		r.server.lock(func() {
			r.server.mode = serve
			clear(r.server.sessions)
		})
		pass(5 * time.Second)
		r.expect(2, "10.0.0.8:80", "10.0.0.9:80")
		r.server.write("/g/b", "10.0.0.7:80", false)
		r.expect(1, "10.0.0.7:80", "10.0.0.9:80")
	})
}

func TestLostEventOfDataIsFoundByTheSafetyReread(t *testing.T) {
	read(t, decode.Data, func(r *reader) {
		r.server.data["/g/a"] = "10.0.0.1:80"
		r.server.set("/g", "a")
		pass(time.Second)
		r.expect(1, "10.0.0.1:80")
		r.server.write("/g/a", "10.0.0.2:80", true)
		pass(3 * time.Minute)
		synctest.Wait()
		r.server.lock(func() { r.server.asked[opGetData] = 0 })
		r.expect(0, "10.0.0.2:80")
	})
}

func TestHostNamesAreResolvedAndFollowed(t *testing.T) {
	read(t, decode.Name, func(r *reader) {
		r.names["web-1"] = []string{"10.0.0.1"}
		r.server.set("/g", "web-1:80", "web-2:80", "10.0.0.9:80")
		pass(2 * time.Second)
		r.expect(0, "10.0.0.1:80", "10.0.0.9:80")
		if d := cmp.Diff([]string{"unresolved 1 web-2:80"}, r.found()); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
		r.mu.Lock()
		r.names["web-1"], r.names["web-2"] = []string{"10.0.0.3"}, []string{"2001:db8::2"}
		r.mu.Unlock()
		pass(time.Minute)
		r.expect(0, "10.0.0.3:80", "10.0.0.9:80", "[2001:db8::2]:80")
		r.mu.Lock()
		clear(r.names)
		r.mu.Unlock()
		pass(5 * time.Minute)
		r.expect(0, "10.0.0.3:80", "10.0.0.9:80", "[2001:db8::2]:80")
	})
}

// The weight of a Dubbo provider grows after its start, without a read.
func TestWeightGrowsDuringWarmup(t *testing.T) {
	read(t, decode.URL, func(r *reader) {
		name := url.QueryEscape(fmt.Sprintf("tri://10.0.0.1:80/Demo?weight=200&warmup=100000&timestamp=%d", time.Now().UnixMilli()))
		r.server.set("/g", name)
		pass(time.Second)
		r.expect(0, "10.0.0.1:80 false 10")
		pass(50 * time.Second)
		r.expect(0, "10.0.0.1:80 false 110")
		pass(50 * time.Second)
		r.expect(0, "10.0.0.1:80 false 200")
	})
}

func TestReadsOfDataAreBounded(t *testing.T) {
	p := newPayloads("/g", decode.New(decode.Options{Format: decode.Data}), make(chan struct{}, 3))
	var mu sync.Mutex
	running, most := 0, 0
	err := p.each(t.Context(), 100, func(int) error {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		pass(time.Millisecond)
		mu.Lock()
		running--
		mu.Unlock()
		return nil
	})
	if err != nil || most > 3 {
		t.Errorf("%d reads at a time, %v", most, err)
	}
	failed := errors.New("lost")
	if err := p.each(t.Context(), 100, func(int) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
}

// start measures the time from the start of a syncer to the list of all groups.
func benchmarkStart(b *testing.B, format decode.Format, data bool) {
	const groups, each = 1000, 20
	f := newFakeServer()
	for g := range groups {
		path := fmt.Sprint("/g", g)
		var names []string
		for i := range each {
			addr := fmt.Sprintf("10.%d.%d.%d:80", g>>8, g&255, i+1)
			name := addr
			if data {
				name = fmt.Sprintf("member_%010d", i)
				f.data[path+"/"+name] = `{"serviceEndpoint":{"host":"` + strings.TrimSuffix(addr, ":80") + `","port":80},"additionalEndpoints":{},"status":"ALIVE"}`
			}
			names = append(names, name)
		}
		f.children[path] = names
	}
	for b.Loop() {
		sink := &countingSink{left: groups, all: make(chan struct{}), seen: make(map[string]bool)}
		o := Options{Proxy: "p", Servers: []string{"zk:2181"}, Sink: sink, Metrics: NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler)}
		for g := range groups {
			o.Groups = append(o.Groups, Group{Name: fmt.Sprint("g", g), Path: fmt.Sprint("/g", g), Decoder: decode.New(decode.Options{Format: format})})
		}
		s := New(o)
		s.connect = f.connect
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		<-sink.all
		if sink.instances != groups*each {
			b.Fatalf("%d instances", sink.instances)
		}
		cancel()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
}

type countingSink struct {
	mu        sync.Mutex
	left      int
	instances int
	seen      map[string]bool
	all       chan struct{}
}

func (c *countingSink) SetGroup(g registry.Group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[g.Name] {
		return
	}
	c.seen[g.Name] = true
	c.instances += len(g.Instances)
	if c.left--; c.left == 0 {
		close(c.all)
	}
}

func (c *countingSink) SetGroups(registry.Discovered) {}

func BenchmarkStartByName(b *testing.B) { benchmarkStart(b, decode.Name, false) }
func BenchmarkStartByAuto(b *testing.B) { benchmarkStart(b, decode.Auto, false) }
func BenchmarkStartWithData(b *testing.B) {
	for _, format := range slices.Sorted(maps.Keys(map[decode.Format]bool{decode.ServerSet: true, decode.Auto: true})) {
		b.Run(string(format), func(b *testing.B) { benchmarkStart(b, format, true) })
	}
}

// A server before 3.6 ends the connection when it is asked for the data of many nodes: then
// each is read by itself, without asking for many again, also in the next sessions.
func TestOldServerIsReadNodeByNode(t *testing.T) {
	for does, asked := range map[string]int{rejects: 1, ends: maxSilent} {
		t.Run(does, func(t *testing.T) {
			read(t, decode.Data, func(r *reader) {
				many := func(want int) {
					t.Helper()
					r.server.lock(func() {
						if n := r.server.asked[opMultiRead]; n != want {
							t.Errorf("asked for many nodes %d times, want %d", n, want)
						}
					})
				}
				r.server.old = does
				r.server.data["/g/a"], r.server.data["/g/b"] = "10.0.0.1:80", "10.0.0.2:80"
				r.server.set("/g", "a", "b")
				pass(5 * time.Second)
				r.expect(2, "10.0.0.1:80", "10.0.0.2:80")
				r.server.write("/g/b", "10.0.0.3:80", false)
				r.expect(1, "10.0.0.1:80", "10.0.0.3:80")
				r.server.lock(func() {
					if n := len(r.server.dials); n != 1+asked {
						t.Errorf("%d connections", n)
					}
				})
				many(asked)

				r.server.lock(func() { clear(r.server.sessions) })
				r.server.drop(serve)
				pass(5 * time.Second)
				r.expect(2, "10.0.0.1:80", "10.0.0.3:80")
				r.server.write("/g/a", "10.0.0.4:80", false)
				r.expect(1, "10.0.0.3:80", "10.0.0.4:80")
				many(asked)

				// It is upgraded, and asked again some time later.
				r.server.lock(func() { r.server.old = "" })
				pass(oldFor)
				r.server.lock(func() {
					clear(r.server.sessions)
					clear(r.server.asked)
				})
				r.server.drop(serve)
				pass(5 * time.Second)
				many(1)
				r.expect(2, "10.0.0.3:80", "10.0.0.4:80")
			})
		})
	}
}

// A server that knows multi-reads is not taken for an old one because a connection ends.
func TestEndOfAConnectionIsNoSignOfAnOldServer(t *testing.T) {
	read(t, decode.Data, func(r *reader) {
		r.server.lock(func() { r.server.old = ends })
		r.server.data["/g/a"], r.server.data["/g/b"] = "10.0.0.1:80", "10.0.0.2:80"
		r.server.set("/g", "a", "b")
		for {
			synctest.Wait()
			var dials int
			r.server.lock(func() {
				if dials = len(r.server.dials); r.server.asked[opMultiRead] > 0 {
					r.server.old = ""
				}
			})
			if dials > 1 {
				break
			}
			pass(time.Millisecond)
		}
		pass(5 * time.Second)
		r.server.lock(func() {
			if n := r.server.asked[opMultiRead]; n != 2 {
				r.Errorf("asked for many nodes %d times", n)
			}
		})
		r.expect(2, "10.0.0.1:80", "10.0.0.2:80")
	})
}

// Data that is too long together is read in parts, and by itself it hides nothing.
func TestLongDataIsReadInParts(t *testing.T) {
	of := func(host string) string {
		return `{"host":"` + host + `","port":80,"more":"` + strings.Repeat("x", 40<<10) + `"}`
	}
	read(t, decode.Nerve, func(r *reader) {
		var names []string
		for i := range 250 {
			name := fmt.Sprintf("n%03d", i)
			names = append(names, name)
			r.server.data["/g/"+name] = of(fmt.Sprintf("10.0.0.%d", i+1))
		}
		r.server.data["/g/n007"] = strings.Repeat("x", 2<<20)
		r.server.set("/g", names...)
		pass(time.Second)
		synctest.Wait()
		if d := cmp.Diff([]string{"payload 1 n007"}, r.found()); d != "" {
			r.Errorf("-want +got\n%s", d)
		}
		r.server.write("/g/n008", of("10.0.1.1"), false)
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		if n := len(r.last.Instances); n != 249 || r.last.Instances[n-1].String() != "10.0.1.1:80" {
			r.Errorf("%d instances: %v", n, r.last.Instances)
		}
	})
}

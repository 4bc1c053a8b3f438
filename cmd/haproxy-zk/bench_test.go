package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// large is a proxy of 1,000 groups with 20 instances each.
type large struct{ snapshot *registry.Snapshot }

func (l large) Snapshot() *registry.Snapshot { return l.snapshot }
func (l large) ConnectionStatus() registry.ConnectionStatus {
	return registry.ConnectionStatus{Connected: true, Last: time.Now()}
}
func (l large) Registrations() []registry.Registrations { return nil }
func (l large) Ready() error                            { return nil }
func (l large) Generations() []supervisor.Generation    { return nil }
func (l large) ConfigFile() string                      { return os.DevNull }
func (l large) Launched() registry.Launched             { return registry.Launched{} }
func (l large) Version() haproxy.Version                { return haproxy.Version{} }

// newLarge returns the proxy, and what two workers report of it.
func newLarge() (large, *stats.Reading) {
	s := &registry.Snapshot{Proxy: "large"}
	r := &stats.Reading{Proxy: "large", Workers: 2, Window: 5 * time.Second}
	for g := range 1000 {
		group := registry.Group{Name: fmt.Sprintf("application-%d", g)}
		reported := stats.Group{Name: group.Name}
		for i := range 20 {
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(g >> 8), byte(g), byte(i + 1)}), 8080)
			group.Instances = append(group.Instances, registry.Instance{Addr: addr})
			one := stats.Instance{Addr: addr, Up: true, Weight: 1}
			one.HTTP, one.Rates.Sessions, one.Rates.Responses5xx = true, float64(g), float64(i)
			for pid := range 2 {
				one.Servers = append(one.Servers, stats.Server{PID: 100 + pid, Name: fmt.Sprintf("%s%d", group.Name, i+1), Status: haproxy.StatusUp, Weight: 1, Since: time.Now(), Check: haproxy.Check{Status: "L7OK", Code: 200}})
			}
			reported.Instances = append(reported.Instances, one)
		}
		s.Groups, r.Groups = append(s.Groups, &group), append(r.Groups, reported)
	}
	return large{s}, r
}

// BenchmarkCommands measures commands about 20,000 instances, and the haproxy-zk that
// answers them, in one process. What HAProxy takes to report them is not included: see
// BenchmarkParts of stats.
func BenchmarkCommands(b *testing.B) {
	proxy, reading := newLarge()
	server := query.New(query.Options{
		Proxies:    func() []query.Proxy { return []query.Proxy{proxy} },
		Statistics: func(ctx context.Context, _, _ string) (*stats.Reading, error) { return reading, ctx.Err() },
		Logger:     slog.New(slog.DiscardHandler),
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(b.Context())
	go func() { ended <- server.Serve(ctx, query.Port{Listener: listener, Detail: true}) }()
	for _, command := range []string{"get -o table", "get -o wide large/application-500", "explain large/application-500/10.1.244.7:8080", "top", "get -o json"} {
		b.Run(strings.ReplaceAll(command, " ", "_"), func(b *testing.B) {
			args := append(strings.Fields(command), "--http-addr", listener.Addr().String())
			begun, n := cpu(b), 0
			for b.Loop() {
				n++
				if code := execute(args, io.Discard, os.Stderr); code != 0 {
					b.Fatalf("exit code %d", code)
				}
			}
			b.ReportMetric((cpu(b)-begun)*1e3/float64(n), "cpu-ms/op")
		})
	}
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// cpu returns the CPU time of this process, in seconds.
func cpu(b *testing.B) float64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

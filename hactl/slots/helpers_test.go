package slots

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

var (
	addr1 = netip.MustParseAddrPort("10.0.0.1:80")
	addr2 = netip.MustParseAddrPort("10.0.0.2:80")
	addr3 = netip.MustParseAddrPort("10.0.0.3:80")

	now   = time.Unix(1<<30, 0)
	later = time.Unix(1<<40, 0)
)

var cmpAddr = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

func testBackend() *haproxy.Backend {
	return &haproxy.Backend{Name: "web", Mode: "http", Servers: haproxy.ServerTemplate{Prefix: "web", First: 1, Last: 10, Free: "0.0.0.0:0", Params: []string{"check"}}}
}

// instances of 10.0.0.x:80.
func instances(last ...int) []registry.Instance {
	var out []registry.Instance
	for _, n := range last {
		out = append(out, registry.Instance{Addr: netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:80", n))})
	}
	return out
}

func same[T any](tb testing.TB, what string, want, got T) {
	tb.Helper()
	if diff := cmp.Diff(want, got, cmpAddr, cmp.AllowUnexported(Slot{})); diff != "" {
		tb.Errorf("%s: -want +got\n%s", what, diff)
	}
}

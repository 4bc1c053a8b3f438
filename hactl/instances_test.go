package hactl

import (
	"fmt"
	"net/netip"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

var (
	addr1 = netip.MustParseAddrPort("10.0.0.1:80")
	addr2 = netip.MustParseAddrPort("10.0.0.2:80")
)

var cmpAddr = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

// instances returns instances 10.0.0.x:80.
func instances(last ...int) []registry.Instance {
	var out []registry.Instance
	for _, n := range last {
		out = append(out, registry.Instance{Addr: netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:80", n))})
	}
	return out
}

func testBackend() haproxy.Backend {
	return haproxy.Backend{Name: "web", Mode: "http", Servers: haproxy.ServerTemplate{Prefix: "web", First: 1, Last: 10, Free: "0.0.0.0:0", Params: []string{"check"}}}
}

// lastOf returns the last numbers of the instances' addresses.
func lastOf(instances []registry.Instance) []int {
	var out []int
	for _, i := range instances {
		out = append(out, int(i.Addr.Addr().As4()[3]))
	}
	return out
}

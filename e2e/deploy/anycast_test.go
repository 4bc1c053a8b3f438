//go:build deploy

package deploy

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// The router of build/deploy/exabgp spreads connections over both hosts, and a host is
// withdrawn before a stop closes its listener, and when haproxy-zk or HAProxy fails.
func TestAnycastRouteFollowsReadiness(t *testing.T) {
	s := newSite(t)
	const address = "198.51.100.10"
	s.service = net.JoinHostPort(address, "8080")
	// The kernel chooses a route by addresses and ports, not by addresses alone.
	must(t, s.router.Set("ipv4/fib_multipath_hash_policy", "1"))
	dir := home(t)
	program(t, s.router, "bird", "-f", "-c", filepath.Join("..", "..", "build", "deploy", "exabgp", "bird.conf"),
		"-s", filepath.Join(dir, "ctl"), "-P", filepath.Join(dir, "pid"))
	for _, h := range s.hosts {
		must(t, h.network.IP("address", "add", address+"/32", "dev", "lo"))
		file := adapted(t, home(t), "exabgp/exabgp.conf", map[string]string{
			"router-id 192.0.2.11;":     "router-id " + h.address + ";",
			"local-address 192.0.2.11;": "local-address " + h.address + ";",
		})
		// It needs no privileges. Without setpriv it would give them up by itself, and then
		// outlive a test that is killed.
		program(t, h.network, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--pdeathsig=TERM",
			"env", "exabgp_daemon_user=nobody", "exabgp_daemon_daemonize=false", "exabgp_api_cli=false", "exabgp", file)
	}
	s.serving = func() (serving []*host, err error) {
		routes, err := s.router.Show("-4", "route", "show", address)
		if err != nil {
			return nil, err
		}
		for _, h := range s.hosts {
			if strings.Contains(routes, "via "+h.address+" ") {
				serving = append(serving, h)
			}
		}
		return serving, nil
	}
	s.settled = func() error {
		serving, err := s.serving()
		if err == nil && len(serving) != len(s.hosts) {
			err = fmt.Errorf("it leads to %v", serving)
		}
		return err
	}
	s.loses()
}

//go:build deploy

package deploy

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// The address of build/deploy/keepalived moves to the other host before a stop closes the
// listener, and when haproxy-zk or HAProxy fails.
func TestVRRPAddressFollowsReadiness(t *testing.T) {
	s := newSite(t)
	const address = "192.0.2.10"
	s.service = net.JoinHostPort(address, "8080")
	checks := make(map[*host]*rig.Program)
	for i, h := range s.hosts {
		dir := home(t)
		file := adapted(t, dir, "keepalived/keepalived.conf", map[string]string{
			"$PRIORITY=150": fmt.Sprintf("$PRIORITY=%d", 150-50*i),
		})
		checks[h] = program(t, h.network, "keepalived", "--dont-fork", "--log-console", "--log-detail", "--use-file", file,
			"--pid", filepath.Join(dir, "pid"), "--vrrp_pid", filepath.Join(dir, "vrrp.pid"))
	}
	s.serving = func() (serving []*host, err error) {
		for _, h := range s.hosts {
			addresses, err := h.network.Show("-4", "address", "show", "dev", "eth0")
			if err != nil {
				return nil, err
			}
			if strings.Contains(addresses, " "+address+"/") {
				serving = append(serving, h)
			}
		}
		return serving, nil
	}
	s.settled = func() error {
		for _, h := range s.hosts {
			said := checks[h].Output()
			if strings.LastIndex(said, "VRRP_Script(ready) succeeded") <= strings.LastIndex(said, "VRRP_Script(ready) failed") {
				return fmt.Errorf("the check of %s has not succeeded", h.address)
			}
		}
		serving, err := s.serving()
		if err == nil && len(serving) != 1 {
			err = errors.New("the address is on no host, or on both")
		}
		return err
	}
	s.loses()
}

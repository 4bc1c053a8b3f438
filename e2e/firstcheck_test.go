package e2e

import (
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// An instance that enters a slot soon after a start or reload is checked within `inter`,
// although HAProxy checks slots that start disabled for the first time within `downinter`.
func TestNewInstanceIsCheckedWithinInter(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Groups[1].ServerTemplate = "${group_name} 1-${max_server} ${ip_port} check inter 500 downinter 1h rise 1 fall 2 disabled"
			c.Groups[1].Extra = map[string]any{"wait_check": true}
		})
		a := s.app(base)
		s.eventually("the first instance serves", func() error { return s.answers("/basecentre/x", a) })
		s.must(a.Unregister())
		s.reload()
		b := s.app(base)
		s.eventually("an instance after a reload serves", func() error { return s.answers("/basecentre/x", b) })
		s.stopped()
	})
}

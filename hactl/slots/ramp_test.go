package slots

import (
	"testing"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func TestRampingInstanceEntersAfterTheStart(t *testing.T) {
	table := New(Options{Size: 3})
	table.Assign(instances(1, 2, 3), now)
	second := func(slot int) bool { return slot == 1 }
	full := Fixed(testBackend()).Rows(table)

	table.Ramp(second)
	same(t, "while others serve", []haproxy.Row{full[0], {}, full[2]}, Fixed(testBackend()).Rows(table))
	table.Ramp(nil)
	same(t, "afterwards", full, Fixed(testBackend()).Rows(table))

	table.Ramp(func(int) bool { return true })
	same(t, "without an instance that takes the requests meanwhile", full, Fixed(testBackend()).Rows(table))
	table.SetHealth(0, true)
	table.Override(2, haproxy.Server{Admin: haproxy.Drain})
	table.Ramp(second)
	same(t, "while the others are down or drained", addr2, Fixed(testBackend()).Rows(table)[1].Addr)
}

package slots

import (
	"net/netip"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func TestTableKeepsSessionsOfLeavingInstance(t *testing.T) {
	table, now := New(Options{Size: 3, Drain: time.Minute}), now
	staying := func(netip.AddrPort) bool { return false }
	settle := func(what string, leaving int, admin ...haproxy.Admin) {
		t.Helper()
		table.Settle(now, staying)
		same(t, what+": leaving", leaving, table.Leaving())
		var got []haproxy.Admin
		for _, s := range table.Slots {
			got = append(got, s.Admin())
		}
		same(t, what, admin, got)
	}
	table.Assign(instances(1, 2), now)
	settle("two serve", 0, haproxy.Ready, haproxy.Ready, haproxy.Maint)
	table.Assign(instances(2), now)
	settle("one leaves", 1, haproxy.Drain, haproxy.Ready, haproxy.Maint)
	now = now.Add(30 * time.Second)
	table.Slots[0].Down = true
	table.Assign(instances(1, 2), now)
	settle("it returns, and is as well as it was", 0, haproxy.Ready, haproxy.Ready, haproxy.Maint)
	same(t, "down", true, table.Slots[0].Down)
	table.Assign(nil, now)
	settle("both leave", 2, haproxy.Drain, haproxy.Drain, haproxy.Maint)
	now = now.Add(59 * time.Second)
	settle("their time is not over", 2, haproxy.Drain, haproxy.Drain, haproxy.Maint)
	same(t, "no draining slots", nil, table.Draining())
	table.Renew()
	settle("a reload keeps them", 2, haproxy.Drain, haproxy.Drain, haproxy.Maint)
	now = now.Add(time.Second)
	settle("it is", 0, haproxy.Maint, haproxy.Maint, haproxy.Maint)
	same(t, "their sessions are counted", []int{0, 1}, table.Draining())

	table.Assign(instances(1), now)
	table.Slots[0].Operator = haproxy.Maint
	table.Assign(nil, now)
	settle("an operator has ended its sessions before", 0, haproxy.Maint, haproxy.Maint, haproxy.Maint)
}

package hactl

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func draining(name string, slots int, d time.Duration) Backend {
	b := backendOf(name, slots)
	b.DrainTimeout = d
	return b
}

func TestTableKeepsTheSessionsOfWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(3, false)
		table.drain = time.Minute
		staying := func(netip.AddrPort) bool { return false }
		settle := func(what string, leaving int, admin ...Admin) {
			t.Helper()
			table.Settle(time.Now(), staying)
			same(t, what+": leaving", leaving, table.Leaving())
			var got []Admin
			for _, s := range table.Slots {
				got = append(got, s.admin())
			}
			same(t, what, admin, got)
		}
		table.Assign(instances(1, 2))
		settle("two serve", 0, Ready, Ready, Maint)
		table.Assign(instances(2))
		settle("one leaves", 1, Drain, Ready, Maint)
		<-time.After(30 * time.Second)
		table.Slots[0].Down = true
		table.Assign(instances(1, 2))
		settle("it returns, and is as well as it was", 0, Ready, Ready, Maint)
		same(t, "down", true, table.Slots[0].Down)
		table.Assign(nil)
		settle("both leave", 2, Drain, Drain, Maint)
		<-time.After(59 * time.Second)
		settle("their time is not over", 2, Drain, Drain, Maint)
		same(t, "nobody counts their sessions", nil, table.Draining())
		table.Renew()
		settle("a reload keeps them", 2, Drain, Drain, Maint)
		<-time.After(time.Second)
		settle("it is", 0, Maint, Maint, Maint)
		same(t, "their sessions are counted", []int{0, 1}, table.Draining())

		table.Assign(instances(1))
		table.Slots[0].Operator = Maint
		table.Assign(nil)
		settle("an operator has ended its sessions before", 0, Maint, Maint, Maint)
	})
}

func TestWhoLeavesKeepsItsSessions(t *testing.T) {
	t.Parallel()
	s := newStory(t, draining("web", 3, time.Hour), draining("api", 2, time.Hour))
	s.Sweep = 20 * time.Millisecond
	s.set("web", 1, 2)
	s.set("api", 7)
	s.serve(t)
	is := func(want string) {
		t.Helper()
		for i := range 2 {
			w := s.ha.worker(i)
			becomes(t, "who left", "10.0.0.1:80 "+want, func() string { return w.show("web/web1") })
		}
	}
	s.set("web", 2)
	is("drain")
	for i := range 2 {
		same(t, "writes to a worker", [][]string{{"set server web/web1 state drain", "set server web/web1 weight 0%", "show info"}}, s.ha.worker(i).changes())
	}
	becomes(t, "draining, by the metrics", 1, func() float64 { return s.metric(t, "haproxyzk_instances", "web", "draining") })
	same(t, "served", []int{2}, lastOf(s.Snapshot().Groups[0].Instances))

	s.set("web", 2, 3)
	s.serves(t, "its slot is nobody else's", "web", 0, 2, 3)
	s.ha.kill(0)
	becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
	same(t, "rendered", "server web1 10.0.0.1:80 check", s.ha.rendered("web1"))
	is("drain")

	s.ha.worker(0).do("set server web/web1 state ready")
	is("drain")
	becomes(t, "drift", 1, func() float64 { return s.metric(t, "haproxyzk_drift_repaired_total") })

	s.set("web", 1, 2, 3)
	is("ready")
	s.serves(t, "it came back", "web", 1, 2, 3)

	s.set("web", 2, 3)
	is("drain")
	s.set("api", 1, 7)
	s.serves(t, "it moves to another group", "api", 7, 1)
	is("maint")
	s.endsWith(t, "start", "worker died")
}

func TestSessionsOfWhoLeavesEnd(t *testing.T) {
	t.Parallel()
	s := newStory(t, draining("web", 2, 300*time.Millisecond))
	s.set("web", 1, 2)
	s.serve(t)
	w := s.ha.worker(0)
	s.set("web", 2)
	becomes(t, "it drains", "10.0.0.1:80 drain", func() string { return w.show("web/web1") })
	becomes(t, "its time is over", "10.0.0.1:80 maint", func() string { return w.show("web/web1") })
	becomes(t, "its sessions were counted", true, func() bool { return w.counted("web") > 0 })
	s.set("web", 2, 3)
	s.serves(t, "its slot is another's", "web", 3, 2)
	s.endsWith(t, "start")
}

func TestOperatorEndsTheSessionsOfWhoLeaves(t *testing.T) {
	t.Parallel()
	s := newStory(t, draining("web", 2, time.Hour))
	s.Sweep = 20 * time.Millisecond
	s.set("web", 1, 2)
	s.serve(t)
	s.set("web", 2)
	w, other := s.ha.worker(0), s.ha.worker(1)
	becomes(t, "it drains", "10.0.0.1:80 drain", func() string { return w.show("web/web1") })
	w.do("set server web/web1 state maint")
	becomes(t, "all workers follow", "10.0.0.1:80 maint", func() string { return other.show("web/web1") })
	same(t, "drift", 0, s.metric(t, "haproxyzk_drift_repaired_total"))
	s.set("web", 1, 2)
	s.serves(t, "a new registration inherits nothing", "web", 1, 2)
	s.endsWith(t, "start")
}

package hactl

import (
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func draining(name string, slots int, d time.Duration) haproxy.Backend {
	b := backendOf(name, slots)
	b.DrainTimeout = d
	return b
}

func TestLeavingInstanceKeepsStickySessions(t *testing.T) {
	t.Parallel()
	s := newStory(t, draining("web", 3, time.Hour), draining("api", 2, time.Hour))
	s.with(func(o *Options) { o.Resync = 20 * time.Millisecond })
	s.set("web", 1, 2)
	s.set("api", 7)
	s.serve(t)
	is := func(want string) {
		t.Helper()
		for i := range 2 {
			w := s.ha.worker(i)
			becomes(t, "departed", "10.0.0.1:80 "+want, func() string { return w.show("web/web1") })
		}
	}
	s.set("web", 2)
	is("drain")
	for i := range 2 {
		same(t, "writes to a worker", [][]string{{"set server web/web1 state drain", "set server web/web1 weight 0%", "show info"}}, s.ha.worker(i).changes())
	}
	becomes(t, "draining, by the metrics", 1, func() float64 { return s.metric(t, "haproxyzk_instances_draining", "web") })
	same(t, "served", []int{2}, lastOf(s.Snapshot().Groups[0].Instances))

	s.set("web", 2, 3)
	s.serves(t, "its slot is not reused", "web", 0, 2, 3)
	s.ha.kill(0)
	becomes(t, "reloads", []string{"start", "worker died"}, s.ha.causes)
	same(t, "rendered", "server web1 10.0.0.1:80 check", s.ha.renderedLine("web1"))
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

func TestStickySessionsOfLeavingInstanceEnd(t *testing.T) {
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

func TestOperatorEndsSessionsOfLeavingInstance(t *testing.T) {
	t.Parallel()
	s := newStory(t, draining("web", 2, time.Hour))
	s.with(func(o *Options) { o.Resync = 20 * time.Millisecond })
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

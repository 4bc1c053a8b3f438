package hactl

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// journal captures the story's log.
func (s *story) journal() *journal {
	j := &journal{}
	logger := slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey, "after", "took":
			return slog.Attr{} // differs each time
		}
		return a
	}}))
	s.with(func(o *Options) { o.Logger = logger })
	return j
}

func TestInstanceIsUpOnlyWhenUpInEveryWorker(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4))
	s.with(func(o *Options) { o.Resync = 20 * time.Millisecond })
	s.set("web", 1, 2, 3)
	s.serve(t)
	up := func() float64 { return s.metric(t, "haproxyzk_instances_up", "web") }
	becomes(t, "up", 3, up)
	s.ha.worker(0).do("set server web/web1 health down")
	becomes(t, "one is down in one worker", 2, up)
	s.ha.worker(1).do("set server web/web2 health down")
	becomes(t, "another one is in the other", 1, up)
	same(t, "serving", 3, s.metric(t, "haproxyzk_slots", "web", "used"))
	s.ha.worker(0).do("set server web/web3 weight 0")
	becomes(t, "an operator lets the last one have no requests", 0, up)
	becomes(t, "the group is down", []string{"web"}, func() []string { return s.Snapshot().Down })
	s.end(t)
}

func TestGroupOutageIsLoggedOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4), backendOf("api", 4))
	s.with(func(o *Options) { o.Resync = 10 * time.Millisecond })
	log := s.journal()
	s.set("web", 1, 2)
	s.set("api", 3)
	s.serve(t)
	down := func() []string { return s.Snapshot().Down }
	health := func(to string) {
		for i := range 2 {
			s.ha.worker(i).do("set server web/web1 health "+to, "set server web/web2 health "+to)
		}
	}
	becomes(t, "up", 2, func() float64 { return s.metric(t, "haproxyzk_instances_up", "web") })
	health("down")
	becomes(t, "down", []string{"web"}, down)
	same(t, "ready", true, s.isReady())
	looks := s.ha.worker(0).asked("show servers state")
	becomes(t, "read again", true, func() bool { return s.ha.worker(0).asked("show servers state") > looks+1 })
	health("up")
	becomes(t, "up again", nil, down)
	becomes(t, "its end is reported", true, func() bool { return strings.Contains(log.String(), "group serves again") })
	s.set("web")
	becomes(t, "emptied", true, func() bool { return strings.Contains(log.String(), "group has no instance left") })
	same(t, "one without instances is not down", nil, down())
	s.set("web", 1)
	becomes(t, "its end is reported", 2, func() int { return strings.Count(log.String(), "group serves again") })
	s.end(t)
	same(t, "outages", []string{
		`level=ERROR msg="no instance of the group is up, its requests fail" group=web registered=2`,
		`level=INFO msg="group serves again" group=web up=2`,
		`level=WARN msg="group has no instance left, its requests fail" group=web`,
		`level=INFO msg="group serves again" group=web up=1`,
	}, slices.DeleteFunc(log.lines("group="), func(line string) bool { return strings.Contains(line, "instance=") }))
}

func TestInstancesAwaitingFirstCheckAreNotAnOutage(t *testing.T) {
	t.Parallel()
	d := &desired{arrangement: arrangement{layout: Layout{Template: builtin(t)}}}
	g := d.newGroup(backendOf("web", 2), false, 2)
	now := time.Now()
	g.available.down = now
	g.see(registry.Group{Name: "web", Instances: instances(1)}, now)
	g.members.Decide(&facts{group: g}, false, now)
	same(t, "at first", "", g.outage(now.Add(firstUpWithin-1)))
	same(t, "in the end", nobodyUp, g.outage(now.Add(firstUpWithin)))
	g.available.fell = true
	same(t, "where one was up", nobodyUp, g.outage(now))
}

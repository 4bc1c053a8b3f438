package hactl

import (
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// resumes gives the running HAProxy the shape of a rendition with these numbers of
// slots.
func (s *story) resumes(sizes ...int) {
	r := s.desired.rendition()
	for i := range r.tables {
		r.tables[i] = slots.New(slots.Options{Size: sizes[i]})
	}
	s.ha.shape = r.shape()
}

// A running HAProxy is not reloaded: instances keep their slots, and commands apply the
// changes that happened while no daemon was running.
func TestResumeCorrectsServersWithoutReload(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4), backendOf("api", 2))
	before := s.runs("backend web\n server web1 10.0.0.1:80\n server web2 10.0.0.2:80\n server-template web 3-4 0.0.0.0:0 disabled\n" +
		"backend api\n server api1 10.0.1.9:80\n server-template api 2-4 0.0.0.0:0 disabled")
	before[0].do(enters("web/web3", 3)...) // the previous daemon had not updated the other worker
	s.resumes(4, 4)
	s.set("web", 2, 3, 4)
	s.set("api")
	s.serve(t)
	for i := range 2 {
		w := s.ha.worker(i)
		same(t, "the process", before[i].pid, w.pid)
		becomes(t, "departed", "10.0.0.1:80 maint", func() string { return w.show("web/web1") })
		becomes(t, "stayed", "10.0.0.2:80 ready", func() string { return w.show("web/web2") })
		becomes(t, "entered one worker", "10.0.0.3:80 ready", func() string { return w.show("web/web3") })
		becomes(t, "entered", "10.0.0.4:80 ready", func() string { return w.show("web/web4") })
	}
	same(t, "ready", nil, s.Ready())
	s.endsWith(t)
}

// Operators' overrides are kept, on all workers, and so is the health.
func TestResumeKeepsOperatorOverrides(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 5))
	before := s.runs("backend web\n server web1 10.0.0.1:80\n server web2 10.0.0.2:80\n server web3 10.0.0.3:80\n server web4 10.0.0.4:80\n server web5 10.0.0.5:80")
	before[0].do("set server web/web1 state drain")
	before[1].do("set server web/web2 state maint")
	before[0].do("set server web/web3 weight 30")
	for _, w := range before {
		w.do(leaves("web/web4")...) // by the previous daemon; registered again since
		w.do("set server web/web5 health down")
	}
	s.resumes(5)
	s.set("web", 1, 2, 3, 4, 5)
	s.serve(t)
	for i := range 2 {
		w := s.ha.worker(i)
		becomes(t, "an operator's drain", "10.0.0.1:80 drain", func() string { return w.show("web/web1") })
		becomes(t, "an operator's maint", "10.0.0.2:80 maint", func() string { return w.show("web/web2") })
		becomes(t, "an operator's weight", 30, func() int { return w.weight("web/web3") })
		becomes(t, "returned", "10.0.0.4:80 ready", func() string { return w.show("web/web4") })
		becomes(t, "dead for all", "10.0.0.5:80 down", func() string { return w.show("web/web5") })
	}
	s.endsWith(t)
}

// A reload is needed if commands do not suffice or the slots are unknown.
func TestResumeFallsBackToReload(t *testing.T) {
	t.Parallel()
	const all = "backend web\n server web1 10.0.0.1:80\n server web2 10.0.0.2:80\n"
	for name, tt := range map[string]struct {
		runs  string
		slots int
		other []string // commands sent to the second worker
		want  []int
	}{
		"another shape":                 {runs: all, slots: 3, want: []int{1, 2}},
		"fewer slots than configured":   {runs: "backend web\n server web1 10.0.0.1:80\n", slots: 1, want: []int{1}},
		"more instances than slots":     {runs: all, slots: 2, want: []int{1, 2, 3}},
		"workers differ":                {runs: all, slots: 2, other: []string{"set server web/web1 addr 10.0.0.7 port 80"}, want: []int{1, 2}},
		"an address has two slots":      {runs: all, slots: 2, other: []string{"set server web/web2 addr 10.0.0.1 port 80"}, want: []int{1, 2}},
		"servers are numbered with gap": {runs: "backend web\n server web1 10.0.0.1:80\n server web3 10.0.0.2:80\n", slots: 2, want: []int{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, backendOf("web", 2))
			before := s.runs(tt.runs)
			if name == "an address has two slots" {
				before[0].do(tt.other...)
			}
			before[1].do(tt.other...)
			s.resumes(tt.slots)
			s.set("web", tt.want...)
			s.serve(t)
			s.endsWith(t, "start")
		})
	}
}

// A slot that an instance left while no daemon was running may still have its sessions.
func TestResumeDoesNotReAddressSlotWithSessions(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	before := s.runs("backend web\n server web1 10.0.0.1:80\n server-template web 2-2 0.0.0.0:0 disabled")
	before[0].setSessions("web/web1", 1)
	s.resumes(2)
	s.set("web", 2)
	s.serve(t)
	s.set("web", 2, 3)
	becomes(t, "a reload is wanted", []string{"slots"}, func() []string { return s.ha.causes() })
	s.end(t)
}

// An instance that is already serving needs no first check.
func TestResumeKeepsServingInstancesUp(t *testing.T) {
	t.Parallel()
	b := backendOf("web", 2)
	b.WaitCheck = true
	s := newStory(t, b)
	s.runs("backend web\n server web1 10.0.0.1:80\n server-template web 2-2 0.0.0.0:0 disabled")
	s.resumes(2)
	s.set("web", 1, 2)
	s.serve(t)
	for i := range 2 {
		w := s.ha.worker(i)
		becomes(t, "still serving", "10.0.0.1:80 ready", func() string { return w.show("web/web1") })
		becomes(t, "entered", "10.0.0.2:80 down", func() string { return w.show("web/web2") })
	}
	s.endsWith(t)
}

// The shape depends on everything that commands cannot change, and on nothing else.
func TestShape(t *testing.T) {
	t.Parallel()
	shape := func(change func(*Options), tables ...*slots.Table) string {
		s := newStory(t, backendOf("web", 2))
		s.with(func(o *Options) {
			o.Frame.Sockets = []string{"/run/1.sock", "/run/2.sock"}
			if change != nil {
				change(o)
			}
		})
		r := s.desired.rendition()
		if tables != nil {
			r.tables = tables
		}
		return r.shape()
	}
	usual := shape(nil)
	taken := slots.New(slots.Options{Size: 2, Wait: true})
	taken.Assign(instances(1), time.Now())
	taken.Slots[0].Operator = haproxy.Drain
	same(t, "with an instance", usual, shape(nil, taken))
	for what, other := range map[string]string{
		"slots":   shape(nil, slots.New(slots.Options{Size: 3})),
		"balance": shape(func(o *Options) { o.Backends[0].Balance = "leastconn" }),
		"port":    shape(func(o *Options) { o.Frame.ListenerPort = 81 }),
		"version": shape(func(o *Options) { o.Frame.Version.Full = "2.2.10" }),
		"sockets": shape(func(o *Options) { o.Frame.Sockets = o.Frame.Sockets[:1] }),
	} {
		if other == usual {
			t.Errorf("another %s does not change the shape", what)
		}
	}
}

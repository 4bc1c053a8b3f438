package hactl

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// One story of an instance whose server is added, and deleted long after it has left.
func TestServerIsAddedAndDeletedLazily(t *testing.T) {
	t.Parallel()
	s := carried(t, haproxy.CarryServers)
	var removed []string
	s.with(func(o *Options) {
		o.Removed = func(_ int, last haproxy.Stats) { removed = append(removed, last.Server) }
	})
	s.set("web", 1)
	s.set("api")
	s.launch(t)
	const first, second = "10.0.0.1:80", "10.0.0.2:80"
	s.set("web", 1, 2)
	s.step(t.Context())
	for i := range 2 {
		same(t, "the server is added", write(
			[]string{"add server web/10.0.0.2:80 10.0.0.2:80 fastinter 500 observe layer4 error-limit 3 on-error fastinter check downinter 500 guid web:10.0.0.2:80", "enable health web/10.0.0.2:80", "set server web/10.0.0.2:80 state ready"},
		), s.ha.worker(i).changes()[0])
	}
	s.set("web", 1)
	s.ha.worker(1).setSessions("web/"+second, 1)
	s.settles(t, 29*time.Second)
	same(t, "it is left alone at first", []string{first, second}, s.ha.worker(0).has("web"))
	s.settles(t, 5*time.Second)
	same(t, "it is deleted", []string{first}, s.ha.worker(0).has("web"))
	same(t, "but not where connections remain", []string{first, second}, s.ha.worker(1).has("web"))
	s.set("web", 1, 2)
	s.settles(t, time.Minute)
	same(t, "a returning instance has it again", []int{1, 2}, s.inService("web"))
	s.set("web", 1)
	s.ha.worker(1).setSessions("web/"+second, 0)
	s.settles(t, time.Minute)
	for i := range 2 {
		same(t, "in the end", []string{first}, s.ha.worker(i).has("web"))
	}
	if s.table(0).Draining() != nil {
		t.Error("its slot is not forgotten")
	}
	same(t, "last figures", []string{second, second, second}, removed)
	same(t, "reloads", []string{"start"}, s.ha.causes())
}

func TestRefusedServerGetsSlot(t *testing.T) {
	t.Parallel()
	s := carried(t, haproxy.CarryServers)
	log := s.journal()
	s.set("web", 1)
	s.set("api", 9)
	s.launch(t)
	for i := range 2 {
		s.ha.worker(i).refuse("add server web/", 100)
	}
	s.set("web", 1, 2)
	s.settles(t, time.Minute)
	same(t, "in service", []int{1, 2}, s.inService("web"))
	same(t, "reloads", []string{"start", "carry"}, s.ha.causes())
	want := []registry.Carried{{By: "slots", Reason: `HAProxy refused to add a server: "Permission denied"`}, {By: "servers"}}
	same(t, "carried by", want, s.Snapshot().Carried)
	if n := len(log.lines("refused to add a server")); n != 1 {
		t.Errorf("%d log lines", n)
	}
	for i := range 2 {
		s.ha.worker(i).refuse("", 0)
	}
	s.Reload("signal")
	s.settles(t, time.Minute)
	same(t, "after an operator's reload", registry.Carried{By: "servers"}, s.Snapshot().Carried[0])
	same(t, "servers", []string{"10.0.0.1:80", "10.0.0.2:80"}, s.ha.worker(0).has("web"))
}

func TestServerOfAnotherNameIsRemovedByReload(t *testing.T) {
	t.Parallel()
	s := carried(t, haproxy.CarryServers)
	s.set("web", 1)
	s.set("api")
	s.launch(t)
	s.passes(2 * time.Minute)
	s.ha.worker(0).do("add server web/test 10.0.9.9:80", "set server web/test state ready")
	s.resync(t.Context())
	s.settles(t, 10*time.Second)
	same(t, "servers", []string{"10.0.0.1:80"}, s.ha.worker(0).has("web"))
	same(t, "reloads", []string{"start", "carry"}, s.ha.causes())
}

// A daemon finds the servers that the one before has added, those that have left since, and
// those that are new.
func TestDynamicServersAreAdopted(t *testing.T) {
	t.Parallel()
	s := carried(t, haproxy.CarryServers)
	s.set("web", 1)
	s.set("api", 9)
	s.launch(t)
	s.set("web", 1, 2, 3)
	s.step(t.Context())

	s.ha.shape = s.desired.rendition().shape()
	s.Controller = New(s.options)
	s.set("web", 1, 3, 4)
	s.set("api", 9)
	s.serve(t)
	becomes(t, "in service", []int{1, 3, 4}, func() []int { return s.inService("web") })
	same(t, "not reloaded", []string{"start"}, s.ha.causes())
	s.end(t)
	s.passes(time.Minute)
	s.settles(t, time.Minute)
	same(t, "servers", []string{"10.0.0.1:80", "10.0.0.3:80", "10.0.0.4:80"}, s.ha.worker(0).has("web"))
}

// Another version, or another configuration, changes how groups are carried.
func TestCarryFollowsVersion(t *testing.T) {
	t.Parallel()
	s := carried(t, haproxy.CarryAuto)
	version := v26
	s.with(func(o *Options) {
		o.Frame.Version = v26
		frame, backends := o.Frame, slices.Clone(o.Backends)
		var current func(context.Context) (Layout, error)
		current = func(context.Context) (Layout, error) {
			f := frame
			f.Version = version
			return Layout{Template: o.Template, Frame: f, Backends: backends, Current: current}, nil
		}
		o.Current = current
	})
	s.set("web", 1, 2)
	s.set("api", 9)
	s.launch(t)
	same(t, "carried by", "slots", s.Snapshot().Carried[0].By)
	for _, step := range []struct {
		version haproxy.Version
		way     string
		servers string
	}{{v32, "servers", "10.0.0.1:80 10.0.0.2:80"}, {v26, "slots", "web1 web2"}} {
		version = step.version
		s.Reload("signal")
		s.settles(t, time.Minute)
		same(t, "carried by", step.way, s.Snapshot().Carried[0].By)
		same(t, "servers", step.servers, strings.Join(s.ha.worker(0).has("web"), " "))
		same(t, "in service", []int{1, 2}, s.inService("web"))
		same(t, "the other group", []int{9}, s.inService("api"))
	}
	same(t, "reloads", []string{"start", "signal", "signal"}, s.ha.causes())
}

// However many instances leave, the figures of their servers are read a few times only, and
// those that leave later wait only for their own rest.
func TestManyServersAreDeletedAtOnce(t *testing.T) {
	t.Parallel()
	s := carried(t, haproxy.CarryServers)
	s.set("web", 1)
	s.set("api", 1)
	s.launch(t)
	var many []int
	for n := range 200 {
		many = append(many, n+1)
	}
	s.set("web", many...)
	s.step(t.Context())
	s.set("web", many[:100]...)
	s.settles(t, 20*time.Second)
	s.set("web", 1)
	s.settles(t, 15*time.Second)
	same(t, "the first are gone, the others rest", 100, len(s.ha.worker(0).has("web")))
	s.settles(t, 20*time.Second)
	for i := range 2 {
		same(t, "all are gone", []string{"10.0.0.1:80"}, s.ha.worker(i).has("web"))
	}
	if n := s.ha.worker(0).counted("web"); n > 6 {
		t.Errorf("the figures of the group were read %d times", n)
	}
}

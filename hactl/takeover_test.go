package hactl

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// runs sets up running workers before the story begins.
func (s *story) runs(config string) []*fakeWorker {
	var workers []*fakeWorker
	for i, socket := range s.ha.sockets {
		w := newFakeWorker(10+i, []byte(config))
		socket.handOver(w, 0)
		workers = append(workers, w)
	}
	return workers
}

func TestTakeoverKeepsOperatorOverrides(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 6))
	before := s.runs("backend web\n server web1 10.0.0.1:80\n server web2 10.0.0.2:80\n server web3 10.0.0.3:80\n server web4 10.0.0.4:80\n server web5 10.0.0.5:80\n server web6 10.0.0.6:80")
	before[0].do("set server web/web1 state drain") // on one worker: no resync since
	before[1].do("set server web/web2 state maint")
	before[0].do("set server web/web3 weight 30")
	for _, w := range before {
		// It had left, and has registered again since.
		w.do(leaves("web/web4")...)
		w.do("set server web/web5 health down")
	}
	before[0].do("set server web/web6 health down")
	s.set("web", 1, 2, 3, 4, 5, 6)
	s.serve(t)
	for i := range 2 {
		w := s.ha.worker(i)
		becomes(t, "an operator's drain", "10.0.0.1:80 drain", func() string { return w.show("web/web1") })
		becomes(t, "an operator's maint", "10.0.0.2:80 maint", func() string { return w.show("web/web2") })
		becomes(t, "an operator's weight", 30, func() int { return w.weight("web/web3") })
		becomes(t, "returned", "10.0.0.4:80 ready", func() string { return w.show("web/web4") })
		becomes(t, "dead for all", "10.0.0.5:80 down", func() string { return w.show("web/web5") })
		becomes(t, "dead for one", "10.0.0.6:80 ready", func() string { return w.show("web/web6") })
	}
	var said []string
	for _, r := range s.Snapshot().Remarks {
		said = append(said, r.Instance.String()+" "+r.Text)
	}
	same(t, "operators", []string{"10.0.0.1:80 drain", "10.0.0.2:80 maint", "10.0.0.3:80 weight 30"}, said)
	s.endsWith(t, "start")
}

// ZooKeeper may be unavailable at the start: lists read later are not new
// registrations.
func TestTakeoverIsRememberedUntilAllIsRead(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2), backendOf("api", 2))
	s.with(func(o *Options) { o.StartWait = 0 })
	for _, w := range s.runs("backend web\n server web1 10.0.0.1:80\n server web2 10.0.0.2:80") {
		w.do("set server web/web1 state maint")
	}
	s.serve(t)
	s.set("web", 1, 2)
	s.serves(t, "an operator has taken one out", "web", 0, 2)
	s.set("web", 2)
	s.set("api", 7)
	s.serves(t, "all is read", "api", 7, 0)
	s.set("web", 1, 2)
	s.serves(t, "a new registration inherits nothing", "web", 1, 2)
	s.endsWith(t, "start")
}

// If a group cannot be read before HAProxy has to start, and is not in the cache, the
// running HAProxy knows its servers.
func TestTakeoverKeepsServersOfUnreadGroup(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4), backendOf("api", 2), backendOf("new", 2))
	s.with(func(o *Options) { o.StartWait = 0 })
	s.runs("backend web\n server web1 10.0.0.1:80\n server web2 10.0.0.2:80\nbackend api\n server api1 10.0.0.8:80")
	s.set("api", 7) // ZooKeeper has listed the group
	s.serve(t)
	s.serves(t, "list from ZooKeeper", "api", 7, 0)
	s.serves(t, "still serving", "web", 1, 2, 0, 0)
	same(t, "waiting for", []string{"new"}, s.Snapshot().Waiting)
	s.set("new", 9)
	s.set("web", 2, 3)
	s.serves(t, "until ZooKeeper lists the group", "web", 0, 2, 3, 0)
	s.endsWith(t, "start")
}

// The cache may be older than the running HAProxy: it could not be written, or the list
// was empty while its instances were held.
func TestTakeoverWithoutZooKeeperKeepsServers(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4), backendOf("api", 2))
	for _, w := range s.runs("backend web\n server web1 10.0.0.1:80\n server web2 10.0.0.2:80\n server web3 10.0.0.3:80\nbackend api\n server api1 10.0.0.8:80") {
		w.do(leaves("web/web3")...)
		w.do("set server web/web2 state drain")
	}
	s.set("api", 7) // ZooKeeper has listed the group
	s.SetGroup(registry.Group{Name: "web", Instances: instances(3, 4), Recalled: true})
	s.serve(t)
	s.serves(t, "list from ZooKeeper", "api", 7, 0)
	for i := range 2 {
		w := s.ha.worker(i)
		becomes(t, "still serving", "10.0.0.1:80 ready", func() string { return w.show("web/web1") })
		becomes(t, "an operator's", "10.0.0.2:80 drain", func() string { return w.show("web/web2") })
	}
	s.serves(t, "no other instance", "web", 1, 0, 0, 0)
	s.set("web", 1, 5)
	s.serves(t, "until ZooKeeper lists the group", "web", 1, 0, 5, 0)
	s.endsWith(t, "start")
}

// The list of discovered groups may be unknown or older than the running HAProxy; a
// list from ZooKeeper never is.
func TestTakeoverWithoutZooKeeperKeepsDiscoveredGroups(t *testing.T) {
	t.Parallel()
	const runs = `backend web
 server web1 10.0.0.1:80
backend kept
 server kept1 10.0.0.2:80
backend new
 server new1 10.0.0.3:80
 server new2 0.0.0.0:0
backend idle
 server idle1 0.0.0.0:0
backend public
 server public1 10.0.0.4:80
backend mail
 server mail1 10.0.0.5:80
 server spare 10.0.0.6:80
backend bad
 server bad1 10.0.0.7:80`
	for _, c := range []struct {
		name   string
		listed *registry.Discovered
		want   []string
	}{
		{"not known", nil, []string{"web", "idle", "kept", "new"}},
		{"kept", &registry.Discovered{Names: []string{"gone", "kept"}, Recalled: true}, []string{"web", "gone", "idle", "kept", "new"}},
		{"listed", &registry.Discovered{Names: []string{"kept"}}, []string{"web", "kept"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := discovering(t)
			discover := s.options.Discover
			s.with(func(o *Options) {
				o.Discover = func(name string) (haproxy.Backend, error) {
					if name == "bad" {
						return haproxy.Backend{}, errors.New("refused")
					}
					return discover(name)
				}
			})
			s.with(func(o *Options) { o.StartWait = 0 })
			s.runs(runs)
			if c.listed != nil {
				s.SetGroups(*c.listed)
			}
			s.serve(t)
			becomes(t, "groups", c.want, func() []string { return s.shown() })
			s.serves(t, "a group that was kept", "kept", 2, 0)
			if slices.Contains(c.want, "new") {
				s.serves(t, "a group that was not kept", "new", 3, 0)
			}
			if slices.Contains(s.Snapshot().Waiting, "idle") {
				t.Error("an empty group is waited for")
			}
			s.SetGroups(registry.Discovered{Names: []string{"kept"}})
			s.set("web", 1)
			s.set("kept", 9)
			s.serves(t, "list from ZooKeeper", "kept", 0, 9)
			if slices.Contains(c.want, "new") {
				s.serves(t, "group not listed by ZooKeeper", "new", 0, 0)
			}
			s.endsWith(t, "start")
		})
	}
}

// A path may have been wiped while no daemon was running, or shortly before the last
// one ended.
func TestTakeoverHoldsLostGroup(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 4), backendOf("api", 2), backendOf("idle", 2))
	for _, w := range s.runs("backend web\n server web1 10.0.0.1:80\n server web2 10.0.0.2:80\n server web3 10.0.0.3:80\nbackend api\n server api1 10.0.0.8:80\nbackend idle\n server idle1 0.0.0.0:0") {
		w.do("set server web/web3 health down")
	}
	s.set("web")
	s.set("api", 8)
	s.set("idle")
	s.serve(t)
	becomes(t, "healthy instances are held", []int{1, 2}, s.held)
	for i := range 2 {
		w := s.ha.worker(i)
		becomes(t, "up", "10.0.0.1:80 ready", func() string { return w.show("web/web1") })
		becomes(t, "up", "10.0.0.2:80 ready", func() string { return w.show("web/web2") })
	}
	s.set("web", 1, 2, 3)
	becomes(t, "they are back", nil, s.held)
	s.endsWith(t, "start")
}

// A free slot may have an address of the configuration.
func TestTakeoverIgnoresAddressesOfFreeSlots(t *testing.T) {
	t.Parallel()
	b := backendOf("web", 3)
	b.Servers.Free = "127.0.0.1:9"
	s := newStory(t, b)
	s.with(func(o *Options) { o.StartWait = 0 })
	s.runs("backend web\n server web1 10.0.0.1:80\n server-template web 2-3 127.0.0.1:9 disabled")
	s.serve(t)
	same(t, "serving", []int{1}, lastOf(s.Snapshot().Groups[0].Instances))
	same(t, "no override", 0, len(s.Snapshot().Remarks))
	s.endsWith(t, "start")
}

// Commands sent to a hung worker wait on its socket.
func TestTakeoverFromHungWorker(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 3))
	s.with(func(o *Options) { o.Timeout = 100 * time.Millisecond })
	before := s.runs("backend web\n server web1 10.0.0.1:80\n server web2 10.0.0.2:80")
	before[0].stopAnswering(false)
	s.ha.meet(func() { s.ha.unread = append(leaves("web/web1"), "set server web/web1 weight 100%") })
	s.set("web", 1, 2)
	s.serve(t)
	s.serves(t, "all workers", "web", 1, 2, 0)
	same(t, "no override", 0, len(s.Snapshot().Remarks))
	s.endsWith(t, "start")
}

func TestStartWithoutTakeover(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 2))
	s.with(func(o *Options) { o.Frame.Sockets = append(o.Frame.Sockets, t.TempDir()+"/nobody") })
	s.takeOver(t.Context())
	for backend, servers := range s.desired.takenOver {
		t.Errorf("%s: %v", backend, servers)
	}
}

func TestRecollect(t *testing.T) {
	state := func(servers ...haproxy.Server) haproxy.ServersState {
		s := haproxy.ServersState{"web": {}}
		for _, server := range servers {
			s["web"][server.Addr.String()] = server
		}
		return s
	}
	is := func(what string, want slots.Slot, workers ...haproxy.Server) {
		t.Helper()
		var states []haproxy.ServersState
		for _, w := range workers {
			states = append(states, state(w))
		}
		if got := recollect(append(states, nil))["web"][addr1]; got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	ready, dead := haproxy.Server{Addr: addr1, Admin: haproxy.Ready}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Down: true}
	is("alive", slots.Slot{}, ready, ready)
	is("dead for one", slots.Slot{}, dead, ready)
	is("dead for the other", slots.Slot{}, ready, dead)
	is("dead for both", slots.Slot{Down: true}, dead, dead)
	is("maint on one", slots.Slot{Operator: haproxy.Maint}, ready, haproxy.Server{Addr: addr1, Admin: haproxy.Maint})
	is("a weight on one", slots.Slot{Weight: 7}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Weight: 7}, ready)
	is("no weight, but in service", slots.Slot{Weight: haproxy.NoWeight}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Weight: haproxy.NoWeight})
	is("drain on one, possibly by its agent", slots.Slot{Operator: haproxy.Drain, ByAgent: true},
		haproxy.Server{Addr: addr1, Admin: haproxy.Drain, Weight: 7, Agent: haproxy.AgentOn}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Agent: haproxy.AgentOn})
	is("a disabled agent", slots.Slot{AgentOff: true}, haproxy.Server{Addr: addr1, Admin: haproxy.Ready, Agent: haproxy.AgentOff})
	is("taken out by us", slots.Slot{}, haproxy.Server{Addr: addr1, Admin: haproxy.Maint, Weight: haproxy.NoWeight})
	is("draining by us", slots.Slot{}, haproxy.Server{Addr: addr1, Admin: haproxy.Drain, Weight: haproxy.NoWeight})
	if got := recollect([]haproxy.ServersState{state(haproxy.Server{Admin: haproxy.Maint})})["web"]; len(got) > 0 {
		t.Errorf("a slot without an address: %v", got)
	}
	if _, known := recollect([]haproxy.ServersState{state(ready)})["web"][netip.AddrPort{}]; known {
		t.Error("an address that is none")
	}
}

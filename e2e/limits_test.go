package e2e

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// Names that HAProxy's commands may take for something else, and the longest ones.
func TestNamesAtTheLimitsOfCommands(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, discoveringBy("auto"))
		a := s.app(front)
		s.serves(front, a)
		load := s.fresh(rig.Target{Path: "/", App: front})
		names := []string{"x", "0", "-", "_", "...", "a.b-c_d", "from", "check", strings.Repeat("n", 64)}
		rejected := []string{":", "10.0.0.5:80", "haproxy-zk.group", strings.Repeat("n", 65)} // and nothing else suffers
		for _, name := range rejected {
			s.app(name)
		}
		groups := make(map[string]*rig.App)
		for _, name := range names {
			groups[name] = s.app(name)
		}
		for name, app := range groups {
			s.serves(name, app)
			s.eventually(name, func() error { return s.answers("/"+name+"/x", app) })
			more := s.app(name) // also without a reload
			s.serves(name, app, more)
			s.do("unregister", more.Unregister)
			s.serves(name, app)
		}
		s.reaches(float64(len(rejected)), "haproxyzk_groups_refused_total")
		s.fileHas(names[8], groups[names[8]])
		s.parses()
		before := s.pids()
		for name, app := range groups {
			s.dissolve(name, app)
		}
		if addsBackends(h) {
			s.hasBackends(dissolved, []string{front}, names)
			s.keepsPIDs(before)
		}
		s.lost(load)
		s.stopped()
	})
}

// at starts an instance at an address and registers it.
func (s *stage) at(group, addr string) *rig.App {
	s.t.Helper()
	app, err := rig.StartAppAt(group, addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := app.Stop(); err != nil {
			s.t.Error(err)
		}
	})
	s.do("register", func() error { return app.Register(s.registry, s.node(group)) })
	return app
}

func TestIPv6InstancesOfGroupsThatComeAndGo(t *testing.T) {
	needs.IPv6(t)
	onLiveHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, live)
		a := s.app(front)
		s.serves(front, a)
		before := s.pids()
		app := s.at("six", net.JoinHostPort("::1", strconv.Itoa(s.port())))
		s.serves("six", app)
		s.eventually("it answers", func() error { return s.answers("/six/x", app) })
		s.fileHas("six", app)
		s.parses()
		s.keepsPIDs(before)
		s.reload()
		s.serves("six", app)
		s.eventually("after a reload", func() error { return s.answers("/six/x", app) })
		s.dissolve("six", app)
		s.hasBackends(dissolved, []string{front}, []string{"six"})
		s.stopped()
	})
}

// HAProxy refuses one of several servers that are added in one write: the others are added,
// and all get slots by one reload.
func TestServerRefusedInTheMiddleOfABatch(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, carriedBy("servers"))
		a, b, load := s.both()
		before := s.pids()
		apps := []*rig.App{s.unregistered(front), s.unregistered(front), s.unregistered(front)}
		slices.SortFunc(apps, func(a, b *rig.App) int { return strings.Compare(a.Addr(), b.Addr()) })
		taken := apps[1].Addr()
		s.onSocket("add server " + base + "/127.0.0.1:9 127.0.0.1:9 guid " + front + ":" + taken) // an identifier is unique
		var creates []any
		for _, app := range apps {
			creates = append(creates, &zk.CreateRequest{Path: s.node(front) + "/" + app.Addr(), Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral})
		}
		if _, err := s.registry.Conn().Multi(creates...); err != nil {
			t.Fatal(err)
		}
		all := append([]*rig.App{a}, apps...)
		s.renewed(before)
		s.serves(front, all...)
		s.eventually("all are used", func() error { return used(load, all) })
		if names := s.servers(front); slices.Contains(names, taken) {
			t.Errorf("it has no slots: %v", names)
		}
		if err := s.counts(1, "haproxyzk_servers_refused_total"); err != nil {
			t.Error(err)
		}
		s.once("HAProxy refused to add a server")
		s.serves(base, b)
		s.has(within, base, b) // carried by servers as before
		s.lost(load)
		s.stopped()
	})
}

// A backend that somebody else has added is gone a minute later, with what it routed.
func TestBackendAddedBehindOurBackIsRemoved(t *testing.T) {
	onLiveHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, live)
		a := s.app(front)
		s.serves(front, a)
		web := s.group("web")
		before := s.pids()
		load := s.fresh(rig.Target{Path: "/", App: front}, rig.Target{Path: "/web/x", App: "web"})
		s.onSocket("add backend foreign from haproxy-zk.group", "add server foreign/x "+web.Addr(), "enable server foreign/x", "publish backend foreign", "add map "+s.mapFile("path")+" /foreign/ foreign")
		s.hasBackends(2*time.Minute, []string{"web"}, []string{"foreign"})
		s.eventually("nothing leads to it", func() error { return s.answers("/foreign/x", a) })
		s.reaches(1, "haproxyzk_drift_repaired_total")
		s.gone(before)
		s.serves("web", web)
		s.lost(load)
		s.stopped()
	})
}

// A worker that is killed while groups come is replaced by one that has them all.
func TestWorkerKilledWhileGroupsCome(t *testing.T) {
	onLiveHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, live)
		a := s.app(front)
		s.serves(front, a)
		groups := make(map[string]*rig.App)
		for round := range 3 {
			before := s.pids()
			for i := range 4 {
				name := fmt.Sprintf("g%d-%d", round, i)
				groups[name] = s.app(name)
				if i == 2 {
					s.kill(before[0])
				}
			}
			s.renewed(before)
		}
		for name, app := range groups {
			s.serves(name, app)
			s.eventually(name, func() error { return s.answers("/"+name+"/x", app) })
		}
		s.stopped()
	})
}

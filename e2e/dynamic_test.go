package e2e

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// carriedBy gives both of the seed's groups a way to get servers.
func carriedBy(way string) func(*rig.SeedConfig) {
	return func(c *rig.SeedConfig) {
		for i := range c.Groups {
			c.Groups[i].Extra = map[string]any{"carry": way}
			c.Groups[i].MaxServer = 2
		}
	}
}

// addsServers reports whether groups may be carried by servers.
func addsServers(h rig.HAProxy) bool { return !strings.HasPrefix(h.Name, "2.") }

// onDynamicHAProxies is onEveryHAProxy for those whose servers can be added and deleted.
func onDynamicHAProxies(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	onHAProxiesThat(t, addsServers, test)
}

// servers returns the names of a group's servers in the worker behind the first socket.
func (s *stage) servers(group string) (names []string) {
	s.t.Helper()
	servers, err := rig.ServersState(s.config.Sockets()[0])
	if err != nil {
		s.t.Error(err)
	}
	for _, server := range servers {
		if server.Backend == group {
			names = append(names, server.Name)
		}
	}
	slices.Sort(names)
	return names
}

// has waits until a group has servers exactly for these instances.
func (s *stage) has(within time.Duration, group string, apps ...*rig.App) {
	s.t.Helper()
	err := rig.Eventually(s.t.Context(), within, func() error {
		if got, want := s.servers(group), addrs(apps); !slices.Equal(got, want) {
			return fmt.Errorf("%s has %v, want %v", group, got, want)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// onSocket runs commands on the stats socket of the first worker, as an operator would.
func (s *stage) onSocket(commands ...string) {
	s.t.Helper()
	if reply, err := rig.Stats(s.config.Sockets()[0], strings.Join(commands, ";")); err != nil {
		s.t.Fatalf("%v: %s %v", commands, reply, err)
	}
}

// lingers is longer than a server is left alone before it is deleted.
const lingers = 90 * time.Second

func TestInstancesComeAndGoWithoutReload(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, carriedBy("servers"))
		a, b, load := s.both()
		before := s.pids()
		apps := []*rig.App{a}
		for range 8 { // far more than max_server
			apps = append(apps, s.app(front))
		}
		s.serves(front, apps...)
		for i := range 4 {
			next := s.app(front)
			s.serves(front, append(slices.Clone(apps), next)...)
			s.retire(front, apps[i])
			apps[i] = next
		}
		gone := time.Now()
		s.serves(front, apps...)
		s.eventually("all are used", func() error { return used(load, apps) })
		if n := len(s.servers(front)); time.Since(gone) < 20*time.Second && n != len(apps)+4 {
			t.Errorf("%d servers: one was deleted at once", n)
		}
		s.has(lingers, front, apps...)
		s.has(lingers, base, b)
		s.keepsPIDs(before)
		if err := s.counts(1, "haproxyzk_reloads_total"); err != nil { // the start
			t.Error(err)
		}
		s.reload()
		s.has(within, front, apps...)
		s.serves(front, apps...)
		s.lost(load)
		s.stopped()
	})
}

func TestServersChangedBehindOurBackAreRepaired(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, carriedBy("servers"))
		a, _, load := s.both()
		b := s.app(front)
		s.serves(front, a, b)
		before := s.pids()
		name := front + "/" + b.Addr()
		s.onSocket("set server " + name + " state maint")
		s.eventually("deleted", func() error {
			s.onSocket("wait 1s srv-removable "+name, "del server "+name)
			if slices.Contains(s.servers(front), b.Addr()) {
				return fmt.Errorf("%v", s.servers(front))
			}
			return nil
		})
		s.serves(front, a, b)
		foreign := front + "/127.0.0.1:9"
		s.onSocket("add server "+foreign+" 127.0.0.1:9", "enable server "+foreign)
		s.eventually("it is taken out", func() error { return s.compareWorkers(front, a, b) })
		s.has(lingers, front, a, b)
		s.reaches(2, "haproxyzk_drift_repaired_total")
		s.keepsPIDs(before)
		load.Stop() // requests to the foreign server fail
	})
}

func TestDynamicServersAreAdoptedByNextDaemon(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, carriedBy("servers"))
		a, _, load := s.both()
		apps := []*rig.App{a, s.app(front), s.app(front), s.app(front)}
		s.serves(front, apps...)
		before := s.pids()
		s.daemon.Kill()
		apps = append(apps, s.app(front))
		s.do("unregister", apps[1].Unregister)
		s.start()
		s.adopts(before)
		apps = slices.Delete(apps, 1, 2)
		s.serves(front, apps...)
		s.has(lingers, front, apps...)
		s.keepsPIDs(before)
		s.lost(load)
		s.stopped()
	})
}

func TestWorkerKilledWhileInstancesChange(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, carriedBy("servers"))
		apps := []*rig.App{s.app(front)}
		s.serves(front, apps...)
		for range 3 {
			before := s.pids()
			apps = append(apps, s.app(front), s.app(front))
			if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			apps = append(apps, s.app(front))
			s.renewed(before)
			s.serves(front, apps...)
		}
		s.has(within, front, apps...)
		s.stopped()
	})
}

func TestCarryChangedUnderLoad(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, carriedBy("slots"))
		a, _, load := s.both()
		apps := []*rig.App{a}
		for _, way := range []string{"servers", "slots", "auto"} {
			apps = append(apps, s.app(front))
			s.serves(front, apps...)
			carriedBy(way)(s.config)
			before := s.pids()
			s.rewrite(s.config)
			s.signal(syscall.SIGHUP)
			s.renewed(before)
			s.serves(front, apps...)
			if named := slices.Equal(s.servers(front), addrs(apps)); named != (way != "slots") {
				t.Errorf("carried by %s: %v", way, s.servers(front))
			}
		}
		s.eventually("all are used", func() error { return used(load, apps) })
		s.lost(load)
		s.stopped()
	})
}

func TestUpgradeMakesServersOfSlots(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, to rig.HAProxy) {
		from := to
		for _, h := range shared.haproxies {
			if !addsServers(h) {
				from = h
			}
		}
		if addsServers(from) {
			return // there is none to upgrade
		}
		s := newStage(t, from, carriedBy("auto"))
		s.config.HAProxy = s.home + "/haproxy-installed"
		s.install(from)
		s.connect()
		s.start()
		s.ready()
		a, _, load := s.both()
		apps := []*rig.App{a, s.app(front)}
		s.serves(front, apps...)
		if slices.Equal(s.servers(front), addrs(apps)) {
			t.Errorf("%s adds servers", from)
		}
		before := s.pids()
		s.install(to)
		s.signal(syscall.SIGUSR2)
		s.runs(to, before)
		apps = append(apps, s.app(front), s.app(front))
		s.serves(front, apps...)
		s.has(within, front, apps...)
		before = s.pids()
		s.install(from)
		s.signal(syscall.SIGUSR2)
		s.runs(from, before)
		s.serves(front, apps...)
		s.lost(load)
		s.stopped()
	})
}

// With wait_check no request reaches an instance before its first successful health check,
// which comes soon.
func TestDeadInstanceOfDynamicGroupGetsNoRequest(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Groups[0].Extra = map[string]any{"carry": "servers", "wait_check": true}
		})
		a, _, load := s.both()
		dead := s.unregistered(front)
		s.do("stop", dead.Stop)
		s.do("register", func() error { return dead.Register(s.registry, s.node(front)) })
		b := s.app(front)
		s.eventually("the living one is up", func() error { return used(load, []*rig.App{a, b}) })
		s.eventually("the dead one is down", func() error {
			servers, err := rig.ServersState(s.config.Sockets()[0])
			if err != nil {
				return err
			}
			for _, server := range servers {
				if server.Name == dead.Addr() && server.OpState == 0 {
					return nil
				}
			}
			return fmt.Errorf("%v", servers)
		})
		s.lost(load)
	})
}

// The name of a server has no brackets, which HAProxy allows in none.
func TestIPv6InstancesGetServers(t *testing.T) {
	needs.IPv6(t)
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, carriedBy("servers"))
		a, _, load := s.both()
		addr := net.JoinHostPort("::1", strconv.Itoa(s.port()))
		b, err := rig.StartAppAt(front, addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.Stop(); err != nil {
				t.Error(err)
			}
		})
		s.do("register", func() error { return b.Register(s.registry, s.node(front)) })
		s.serves(front, a, b)
		s.eventually("it is used", func() error { return used(load, []*rig.App{b}) })
		if _, port, _ := net.SplitHostPort(addr); !slices.Contains(s.servers(front), "::1:"+port) {
			t.Errorf("%v", s.servers(front))
		}
		s.reload()
		s.serves(front, a, b)
		s.retire(front, b)
		s.has(lingers, front, a)
		s.lost(load)
		s.stopped()
	})
}

// A group whose servers cannot be added has slots, and says why.
func TestGroupThatCannotBeCarriedByServersSaysWhy(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			carriedBy("servers")(c)
			c.Groups[0].Balance = "static-rr"
		})
		a, b := s.app(front), s.app(base)
		s.serves(front, a)
		s.serves(base, b)
		if got := s.servers(front); slices.Equal(got, addrs([]*rig.App{a})) {
			t.Errorf("%s has %v", front, got)
		}
		s.has(within, base, b)
		for group, want := range map[string]string{
			front: `"carried_by":"slots","carried_reason":"` + "`balance static-rr` cannot have servers added" + `"`,
			base:  `"carried_by":"servers"`,
		} {
			if _, body := s.get("/" + s.proxy() + "/" + group + "?detail"); !strings.Contains(body, want) {
				t.Errorf("%s lacks %s:\n%s", group, want, body)
			}
		}
	})
}

package e2e

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// writes creates an ephemeral child with data, as an application of another framework
// does, and returns its path.
func (s *stage) writes(parent, name, data string, flags int32) string {
	s.t.Helper()
	if err := s.registry.Ensure(parent); err != nil {
		s.t.Fatal(err)
	}
	node, err := s.registry.Conn().Create(parent+"/"+name, []byte(data), zk.FlagEphemeral|flags, zk.WorldACL(zk.PermAll))
	if err != nil {
		s.t.Fatal(err)
	}
	return node
}

// rewrites replaces the data of a child.
func (s *stage) rewrites(node, data string) {
	s.t.Helper()
	if _, err := s.registry.Conn().Set(node, []byte(data), -1); err != nil {
		s.t.Fatal(err)
	}
}

func springPayload(app *rig.App, metadata string) string {
	host, port, _ := strings.Cut(app.Addr(), ":")
	return `{"name":"orders","id":"` + curatorID + `","address":"` + host + `","port":` + port + `,"sslPort":null,"payload":{"@class":"org.springframework.cloud.zookeeper.discovery.ZookeeperInstance",` +
		`"id":"application-1","name":"orders","metadata":{` + metadata + `}},"registrationTimeUTC":1769292890155,"serviceType":"DYNAMIC","uriSpec":null}`
}

// weighs returns nil if every worker's servers of a group have these states and weights,
// by address.
func (s *stage) weighs(group string, want map[string]string) error {
	for _, socket := range s.config.Sockets() {
		servers, err := rig.ServersState(socket)
		if err != nil {
			return err
		}
		got := make(map[string]string)
		for _, server := range servers {
			if server.Backend != group {
				continue
			}
			state := "ready"
			switch {
			case server.AdminState&1 != 0:
				state = "maint"
			case server.AdminState&8 != 0:
				state = "drain"
			}
			got[server.Endpoint()] = fmt.Sprintf("%s %d", state, server.Weight)
		}
		for addr, state := range want {
			if got[addr] != state {
				return fmt.Errorf("%s: %s is %q, not %q", socket, addr, got[addr], state)
			}
		}
	}
	return nil
}

// Discovered groups of every layout are served without a word about them.
func TestEveryLayoutIsServed(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, discovering)
		s.serves(front, s.app(front))
		apps := make(map[string]*rig.App)
		for group, register := range map[string]func(parent string, app *rig.App){
			"spring": func(parent string, app *rig.App) {
				s.writes(parent, curatorID, springPayload(app, `"instance_status":"UP"`), 0)
			},
			"dubbo3": func(parent string, app *rig.App) {
				host, port, _ := strings.Cut(app.Addr(), ":")
				s.writes(parent, host+":20880", `{"name":"demo","address":"`+host+`","port":20880,"payload":{"@class":"org.apache.dubbo.registry.zookeeper.ZookeeperInstance","metadata":{`+
					`"dubbo.endpoints":"[{\"port\":20880,\"protocol\":\"dubbo\"},{\"port\":`+port+`,\"protocol\":\"tri\"}]"}},"serviceType":"DYNAMIC"}`, 0)
			},
			"dubbo2": func(parent string, app *rig.App) {
				s.writes(parent, url.QueryEscape("tri://"+app.Addr()+"/org.example.Demo?application=demo&version=1.0"), "", 0)
			},
			"finagle": func(parent string, app *rig.App) {
				host, port, _ := strings.Cut(app.Addr(), ":")
				s.writes(parent, "member_", `{"serviceEndpoint":{"host":"`+host+`","port":`+port+`},"additionalEndpoints":{},"status":"ALIVE"}`, zk.FlagSequence)
			},
			"nerve": func(parent string, app *rig.App) {
				host, port, _ := strings.Cut(app.Addr(), ":")
				s.writes(parent, host+"_"+port+"_", `{"host":"`+host+`","port":`+port+`,"name":"web1"}`, zk.FlagSequence)
			},
			"gokit":      func(parent string, app *rig.App) { s.writes(parent, goKitID, "http://"+app.Addr(), 0) },
			"armeria":    func(parent string, app *rig.App) { s.writes(parent, "any", app.Addr()+":1000", 0) },
			"sequential": func(parent string, app *rig.App) { s.writes(parent, app.Addr()+"-", "", zk.FlagSequence) },
			"hostname": func(parent string, app *rig.App) {
				_, port, _ := strings.Cut(app.Addr(), ":")
				s.writes(parent, "localhost:"+port, "", 0)
			},
		} {
			apps[group] = s.unregistered(group)
			register(s.node(group), apps[group])
		}
		for group, app := range apps {
			s.serves(group, app)
			s.eventually(group, func() error { return s.answers("/"+group+"/x", app) })
			if err := s.finds(group, 1); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestStatusAndWeightOfARegistrationAreFollowed(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Groups = []rig.Group{{Name: front, DefaultBackend: true, Extra: map[string]any{"format": "curator"}}}
		})
		a, b := s.unregistered(front), s.unregistered(front)
		nodeA := s.writes(s.node(front), "a", springPayload(a, ""), 0)
		s.writes(s.node(front), "b", springPayload(b, ""), 0)
		s.serves(front, a, b)
		before := s.pids()
		load := s.load(rig.Target{Path: "/", App: front})
		is := func(what, stateA string) {
			t.Helper()
			s.eventually(what, func() error {
				return s.weighs(front, map[string]string{a.Addr(): stateA, b.Addr(): "ready 100"})
			})
		}
		is("both in full", "ready 100")
		s.rewrites(nodeA, springPayload(a, `"weight":"30"`))
		is("a third", "ready 30")
		s.rewrites(nodeA, springPayload(a, `"instance_status":"OUT_OF_SERVICE"`))
		is("drained", "drain 0")
		s.rewrites(nodeA, springPayload(a, `"instance_status":"UP","weight":"250"`))
		is("back with more", "ready 250")
		if now := s.pids(); !slices.Equal(now, before) {
			t.Errorf("HAProxy was reloaded: %v, then %v", before, now)
		}
		s.rewrites(nodeA, springPayload(a, `"instance_status":"STARTING"`))
		s.serves(front, b)
		s.rewrites(nodeA, springPayload(a, `"instance_status":"UP","weight":"30"`))
		is("it has started", "ready 30")
		s.lost(load)
	})
}

// The warmup of an instance's metadata, as in Dubbo 3, also if another instance of the group
// changes meanwhile.
func TestWarmupOfMetadataIsFollowed(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Groups = []rig.Group{{Name: front, DefaultBackend: true, Extra: map[string]any{"format": "curator"}}}
		})
		a, b := s.unregistered(front), s.unregistered(front)
		warming := func(started time.Duration) string {
			return fmt.Sprintf(`"warmup":"60000","timestamp":"%d"`, time.Now().Add(-started).UnixMilli())
		}
		nodeA := s.writes(s.node(front), "a", springPayload(a, warming(0)), 0)
		s.writes(s.node(front), "b", springPayload(b, ""), 0)
		is := func(what, stateA string) {
			t.Helper()
			s.eventually(what, func() error {
				return s.weighs(front, map[string]string{a.Addr(): stateA, b.Addr(): "ready 100"})
			})
		}
		is("cold", "ready 5")
		load := s.load(rig.Target{Path: "/", App: front})
		is("a tenth of the time later", "ready 15")
		s.rewrites(nodeA, springPayload(a, warming(55*time.Second)))
		is("nearly warm", "ready 95")
		c := s.unregistered(front)
		s.writes(s.node(front), "c", springPayload(c, ""), 0)
		s.serves(front, a, b, c)
		is("warm", "ready 100")
		s.lost(load)
	})
}

// HAProxy does not say who set a weight: one that the registration had is followed after a
// restart, even if it changed meanwhile.
func TestRegisteredWeightIsNotAnOperatorsAfterARestart(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Groups = []rig.Group{{Name: front, DefaultBackend: true, Extra: map[string]any{"format": "curator"}}}
		})
		a, b := s.unregistered(front), s.unregistered(front)
		nodeA := s.writes(s.node(front), "a", springPayload(a, `"weight":"30"`), 0)
		s.writes(s.node(front), "b", springPayload(b, ""), 0)
		is := func(what, stateA string) {
			t.Helper()
			s.eventually(what, func() error {
				return s.weighs(front, map[string]string{a.Addr(): stateA, b.Addr(): "ready 100"})
			})
		}
		is("a third", "ready 30")
		s.keeps(a, b)
		s.eventually("the weight is cached", func() error {
			text, err := os.ReadFile(s.stateFile())
			if err == nil && !strings.Contains(string(text), `"weight":30`) {
				err = fmt.Errorf("%s", text)
			}
			return err
		})
		s.daemon.Kill()
		s.rewrites(nodeA, springPayload(a, `"weight":"60"`))
		s.start()
		s.ready()
		is("it follows", "ready 60")
		s.rewrites(nodeA, springPayload(a, `"instance_status":"OUT_OF_SERVICE"`))
		is("drained", "drain 0")
		s.daemon.Kill()
		s.rewrites(nodeA, springPayload(a, ""))
		s.start()
		s.ready()
		is("in full", "ready 100")
	})
}

// Weight, warmup and disabled of a Dubbo URL: another URL of the same provider replaces it.
func TestProviderURLIsFollowed(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Groups = []rig.Group{{Name: front, DefaultBackend: true, Extra: map[string]any{"format": "url"}}}
		})
		a, b := s.unregistered(front), s.unregistered(front)
		provider := func(app *rig.App, parameters string) string {
			return url.QueryEscape("tri://" + app.Addr() + "/org.example.Demo?application=demo" + parameters)
		}
		is := func(what, stateA string) {
			t.Helper()
			s.eventually(what, func() error {
				return s.weighs(front, map[string]string{a.Addr(): stateA, b.Addr(): "ready 100"})
			})
		}
		s.writes(s.node(front), provider(b, ""), "", 0)
		node := s.writes(s.node(front), provider(a, "&weight=200"), "", 0)
		s.serves(front, a, b)
		is("twice", "ready 200")
		load := s.load(rig.Target{Path: "/", App: front})
		become := func(parameters string) {
			t.Helper()
			next := s.writes(s.node(front), provider(a, parameters), "", 0)
			s.delete(node)
			node = next
		}
		become("&disabled=true")
		is("disabled", "drain 0")
		become(fmt.Sprintf("&warmup=3600000&timestamp=%d", time.Now().Add(-5*time.Minute).UnixMilli()))
		is("warming up", "ready 5")
		become(fmt.Sprintf("&warmup=600000&timestamp=%d", time.Now().Add(-9*time.Minute-50*time.Second).UnixMilli()))
		is("nearly warm", "ready 95")
		is("warm", "ready 100")

		// SOFA RPC has another weight meanwhile.
		sofa := func(started time.Duration) string {
			return fmt.Sprintf("&weight=100&startTime=%d&warmupTime=60000&warmupWeight=20", time.Now().Add(-started).UnixMilli())
		}
		become(sofa(0))
		is("cold", "ready 20")
		become(sofa(55 * time.Second))
		is("nearly warm", "ready 20")
		is("warm", "ready 100")
		s.lost(load)
	})
}

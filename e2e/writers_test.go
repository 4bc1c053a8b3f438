package e2e

import (
	"strings"
	"sync"
	"testing"

	"github.com/go-kit/kit/sd/zk"
	"github.com/go-kit/log"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// found returns a stage whose groups are discovered below /services, and that path.
func found(t *testing.T, h rig.HAProxy) (s *stage, services string) {
	t.Helper()
	s = begin(t, h, func(c *rig.SeedConfig) {
		discovering(c)
		services = strings.TrimSuffix(c.ZKPath, "/${group}/instances") + "/services"
		c.ZKPath = services + "/${group}"
		c.Groups[0].ZKPath = ""
	})
	return s, services
}

// servedByFormat waits until an instance serves a group, and checks that nothing but its
// format is reported.
func (s *stage) servedByFormat(group, format string, apps ...*rig.App) {
	s.t.Helper()
	s.serves(group, apps...)
	s.eventually(group, func() error { return s.answers("/"+group+"/x", apps[0]) })
	if err := s.finds(group, len(apps)); err != nil {
		s.t.Error(err)
	}
	if _, body := s.get("/readyz"); format != "" && !strings.Contains(body, `"`+group+`":{"`+format+`":`) {
		s.t.Errorf("%s is not read as %s: %s", group, format, body)
	}
}

// What kazoo writes is served as long as its session lives.
func TestKazooRegisters(t *testing.T) {
	needs.Kazoo(t)
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, discovering)
		a, b := s.unregistered("web"), s.unregistered("web")
		first := kazoo(t, s.config.ZKAddr, s.node("web"), a.Addr(), "")
		s.servedByFormat("web", "", a)
		kazoo(t, s.config.ZKAddr, s.node("web"), "any", b.Addr())
		s.serves("web", a, b)
		first.close()
		s.servedByFormat("web", "data", b)
	})
}

// What operators create by hand with ZooKeeper's own command.
func TestZkCliRegisters(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, discovering)
		a, b, c := s.unregistered("web"), s.unregistered("web"), s.unregistered("web")
		if err := s.registry.Ensure(s.node("web")); err != nil {
			t.Fatal(err)
		}
		w := startWriter(t, "/usr/share/zookeeper/bin/zkCli.sh", "-server", s.config.ZKAddr)
		in := func(line string) {
			t.Helper()
			if _, err := w.input.Write([]byte(line + "\n")); err != nil {
				t.Fatal(err)
			}
		}
		node := s.node("web")
		in("create -e " + node + "/" + a.Addr())
		s.serves("web", a)
		in("create -e -s " + node + "/" + b.Addr() + "-")
		s.serves("web", a, b)
		in("create -e " + node + "/by-hand " + c.Addr())
		s.serves("web", a, b, c)
		in("set " + node + "/by-hand " + c.Addr() + ":0")
		s.eventually("drained", func() error { return s.weighs("web", map[string]string{c.Addr(): "drain 0"}) })
		in("delete " + node + "/" + a.Addr())
		in("delete " + node + "/by-hand")
		s.servedByFormat("web", "name", b)
		in("quit")
	})
}

// What Curator's own service discovery writes, also with the payloads of Spring Cloud and
// Dubbo 3.
func TestCuratorRegisters(t *testing.T) {
	needs.Curator(t)
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, services := found(t, h)
		w := curator(t, s.config.ZKAddr, services)
		apps := make(map[string][2]*rig.App)
		register := func(kind string, i int, metadata string) {
			t.Helper()
			host, port, _ := strings.Cut(apps[kind][i].Addr(), ":")
			id := []string{"fd1e2c34-0b5a-4a7f-9c3d-1234567890ab", "0d1e2c34-0b5a-4a7f-9c3d-1234567890ab"}[i]
			if kind == "dubbo" {
				id, port = host+":"+[]string{"20880", "20881"}[i], "20880"
			}
			w.does("register %s %s %s %s %s %s", kind, id, kind, host, port, metadata)
		}
		endpoints := func(app *rig.App) string {
			_, port, _ := strings.Cut(app.Addr(), ":")
			return `dubbo.endpoints=[{"port":20880,"protocol":"dubbo"},{"port":` + port + `,"protocol":"tri"}]`
		}
		for _, kind := range []string{"plain", "disabled", "spring", "dubbo"} {
			apps[kind] = [2]*rig.App{s.unregistered(kind), s.unregistered(kind)}
			for i, app := range apps[kind] {
				metadata := ""
				switch kind {
				case "spring":
					metadata = "instance_status=UP zone=a"
				case "dubbo":
					metadata = endpoints(app)
				case "disabled":
					continue
				}
				register(kind, i, metadata)
			}
		}
		for _, kind := range []string{"plain", "spring", "dubbo"} {
			s.servedByFormat(kind, "curator", apps[kind][0], apps[kind][1])
		}

		// Updates, which replace the data.
		register("spring", 0, "instance_status=OUT_OF_SERVICE")
		a := apps["spring"][0].Addr()
		s.eventually("drained", func() error { return s.weighs("spring", map[string]string{a: "drain 0"}) })
		register("spring", 0, "instance_status=STARTING")
		s.serves("spring", apps["spring"][1])
		register("spring", 0, "instance_status=UP")
		s.servedByFormat("spring", "curator", apps["spring"][0], apps["spring"][1])
		register("disabled", 0, "")
		b := apps["disabled"][0].Addr()
		s.eventually("disabled", func() error { return s.weighs("disabled", map[string]string{b: "drain 0"}) })

		// Its parents are containers, which vanish when they are empty.
		w.does("unregister plain fd1e2c34-0b5a-4a7f-9c3d-1234567890ab plain")
		s.serves("plain", apps["plain"][1])
	})
}

// What go-kit's registrar writes. Its Deregister deletes nothing, since it names the parent:
// an instance leaves with its session.
func TestGoKitRegisters(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, services := found(t, h)
		register := func(data string) (stop func()) {
			t.Helper()
			client, err := zk.NewClient([]string{s.config.ZKAddr}, log.NewNopLogger(), zk.SessionTimeout(patience))
			if err != nil {
				t.Fatal(err)
			}
			stop = sync.OnceFunc(client.Stop)
			t.Cleanup(stop)
			zk.NewRegistrar(client, zk.Service{Path: services, Name: "users", Data: []byte(data)}, log.NewNopLogger()).Register()
			return stop
		}
		a, b := s.unregistered("users"), s.unregistered("users")
		first := register(a.Addr())
		register("http://" + b.Addr())
		s.servedByFormat("users", "data", a, b)
		first()
		s.servedByFormat("users", "data", b)
		children, err := s.registry.Children(services + "/users")
		if err != nil || len(children) != 1 || !strings.HasPrefix(children[0], "_c_") {
			t.Errorf("it wrote %q, %v", children, err)
		}
	})
}

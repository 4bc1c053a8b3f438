package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// talks opens a ZooKeeper session through addr and reads from it: a real protocol over
// TCP, in which the data identify the server.
func talks(ctx context.Context, addr, node, child string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	registry, err := rig.ConnectRegistry(ctx, addr, 2*time.Second)
	if err != nil {
		return err
	}
	defer registry.Close()
	children, err := registry.Children(node)
	if err != nil {
		return err
	}
	if len(children) != 1 || children[0] != child {
		return fmt.Errorf("%s has %v", node, children)
	}
	return nil
}

func TestTCPGroupsWithListenersOfTheirOwn(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		var port int
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Template = strings.NewReplacer("mode            http", "mode            tcp", "    option          httplog\n", "", "    option          forwardfor\n", "").Replace(rig.SeedTemplate)
			var err error
			if port, err = rig.FreePort(); err != nil {
				t.Fatal(err)
			}
			c.Groups = []rig.Group{
				{Name: "zk", Mode: "tcp", DefaultBackend: true},
				{Name: "zk-other", Mode: "tcp", Extra: map[string]any{"listener_port": port}},
			}
		})
		for _, group := range []string{"zk", "zk-other"} {
			if err := s.registry.Register(s.node(group), shared.zookeeper.Addr()); err != nil {
				t.Fatal(err)
			}
		}
		for _, addr := range []string{s.config.Listener(), fmt.Sprintf("127.0.0.1:%d", port)} {
			s.eventually(addr, func() error { return talks(t.Context(), addr, s.node("zk"), shared.zookeeper.Addr()) })
		}
	})
}

func TestEnvironmentAlone(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.connect()
		listener, admin := s.port(), s.port()
		s.run("ZK_ADDR="+shared.zookeeper.Addr(), "ZK_PATH="+s.config.ZKPath, "EXEC="+h.Path,
			fmt.Sprintf("LISTENER_PORT=%d", listener), fmt.Sprintf("ADMIN_PORT=%d", admin), "PROXY_NAME=edge")
		s.ready()
		web := s.app("web")
		s.eventually("the discovered group serves", func() error {
			return s.answersAt(listener, "/web/x", web)
		})
		if code, body := s.get("/edge/web"); code != http.StatusOK || !strings.Contains(body, web.Addr()) {
			t.Errorf("%d %s", code, body)
		}
		s.eventually("HAProxy's log comes out", func() error {
			if !strings.Contains(s.daemon.Output(), `GET /web/x HTTP/1.1`) {
				return fmt.Errorf("no line of the request in the output")
			}
			return nil
		})
		response, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d/ha-stats", admin), "application/x-www-form-urlencoded", strings.NewReader("s=web1&action=maint&b=web"))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		// If the request had had an effect, this would never come true.
		s.eventually("the stats page changes nothing without a user", func() error { return s.answersAt(listener, "/web/x", web) })
		s.stopped()
	})
}

// Our variables have long names beside those of other programs, and take precedence.
// Variables that Kubernetes sets for a service named admin or listener do not prevent
// the start.
func TestUnrelatedEnvironmentVariables(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared.haproxies[0], nil)
	s.connect()
	listener := s.port()
	s.run("HAPROXY_ZK_ZK_ADDR="+shared.zookeeper.Addr(), "ZK_ADDR=another.invalid:2181", "HAPROXY_ZK_ZK_PATH="+s.config.ZKPath, "EXEC="+s.config.HAProxy,
		fmt.Sprintf("HAPROXY_ZK_LISTENER_PORT=%d", listener), "LISTENER_PORT=tcp://10.96.0.1:80", "ADMIN_PORT=tcp://10.96.0.2:80",
		"ADMIN_SERVICE_HOST=10.96.0.2", "HAPROXY_ZK_PORT=tcp://10.96.0.3:8080", "HAPROXY_ZK_ADMIN_USER=ops", "HAPROXY_ZK_ADMIN_PASSWORD=canary", "HAPROXY_ZK_WORKER=3", "HAPROXY_ZK_PROXY_NAME=ngboss")
	s.ready()
	web := s.app("web")
	s.eventually("the discovered group serves", func() error { return s.answersAt(listener, "/web/x", web) })
	for _, words := range []string{
		"LISTENER_PORT: ignored, because it describes a service of Kubernetes", "ADMIN_PORT: ignored, because it describes a service of Kubernetes",
		"HAPROXY_ZK_WORKER: unknown variable, ignored: did you mean HAPROXY_ZK_WORKERS?",
	} {
		if !strings.Contains(s.daemon.Output(), words) {
			t.Errorf("it does not say %q:\n%s", words, s.daemon.Output())
		}
	}
	// The worker that the condition names may be that before the reload, and end.
	s.eventually("HAProxy's environment lacks the secrets alone", func() error {
		condition, err := s.condition()
		if err != nil || len(condition.Generations) == 0 {
			return fmt.Errorf("generations %v, %w", condition.Generations, err)
		}
		for _, pid := range condition.Generations[0].PIDs {
			environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
			if err != nil {
				return err
			}
			if strings.Contains(string(environment), "canary") {
				t.Errorf("HAProxy's environment: %q", environment)
			}
			if !strings.Contains(string(environment), "ADMIN_SERVICE_HOST") {
				return fmt.Errorf("HAProxy's environment: %q", environment)
			}
		}
		return nil
	})
	s.stopped()
}

func TestEnvironmentTCP(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.connect()
		listener := s.port()
		s.run("ZK_ADDR="+shared.zookeeper.Addr(), "ZK_PATH="+s.config.ZKPath, "EXEC="+h.Path, "MODE=tcp", "ZK_GROUPS=zk", "WORKERS=2",
			fmt.Sprintf("LISTENER_PORT=%d", listener), fmt.Sprintf("ADMIN_PORT=%d", s.port()))
		s.ready()
		if err := s.registry.Register(s.node("zk"), shared.zookeeper.Addr()); err != nil {
			t.Fatal(err)
		}
		s.eventually("a session through it", func() error {
			return talks(t.Context(), fmt.Sprintf("127.0.0.1:%d", listener), s.node("zk"), shared.zookeeper.Addr())
		})
	})
}

func TestWrongEnvironmentNamesTheVariables(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared.haproxies[0], nil)
	s.run("LISTENER_PORT=high", "WORKERS=0")
	s.exits(2)
	for _, name := range []string{"ZK_ADDR", "LISTENER_PORT", "WORKERS"} {
		if !strings.Contains(s.daemon.Output(), name) {
			t.Errorf("it does not name %s:\n%s", name, s.daemon.Output())
		}
	}
}

func TestFileAndEnvironmentTogether(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared.haproxies[0], nil)
	file, err := s.config.Write(s.home)
	if err != nil {
		t.Fatal(err)
	}
	s.run("CONFIG="+file, "ZK_ADDR=127.0.0.1:2181")
	s.exits(2)
	for _, words := range []string{file, "ZK_ADDR", `"${ZK_ADDR}"`} {
		if !strings.Contains(s.daemon.Output(), words) {
			t.Errorf("it does not say %q:\n%s", words, s.daemon.Output())
		}
	}
}

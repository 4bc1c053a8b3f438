//go:build deploy

package deploy

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// The addresses of a site:
//
//	client ── 203.0.113.0/24 ── router ── 192.0.2.0/24 ──┬── host 1: haproxy-zk
//	                            instances                └── host 2: haproxy-zk
const (
	routerAddress = "192.0.2.1"
	clientRouter  = "203.0.113.1"
	clientAddress = "203.0.113.2"
)

// site is a network with two hosts that have a haproxy-zk each, behind a router.
type site struct {
	t              *testing.T
	router, client *rig.Namespace
	hosts          []*host
	services       *services
	// service is where clients find the load balancers.
	service string
	// serving returns the hosts to which the service's address leads.
	serving func() ([]*host, error)
	// settled returns nil once a host that is ready takes part again.
	settled func() error
}

type host struct {
	*balancer
	address string
	// link is the router's end of its link.
	link string
}

func newSite(t *testing.T) *site {
	t.Helper()
	needs.Networks(t)
	s := &site{t: t, router: namespace(t), client: namespace(t), services: newServices(t)}
	must(t, s.router.IP("link", "add", "lan", "type", "bridge"))
	must(t, s.router.IP("address", "add", routerAddress+"/24", "dev", "lan"))
	must(t, s.router.IP("link", "set", "lan", "up"))
	must(t, s.router.Set("ipv4/ip_forward", "1"))
	link(t, s.client, clientAddress, s.router, "client")
	must(t, s.router.IP("address", "add", clientRouter+"/24", "dev", "client"))
	must(t, s.client.IP("route", "add", "default", "via", clientRouter))
	for i := range 2 {
		h := &host{newBalancer(t, namespace(t)), fmt.Sprintf("192.0.2.%d", 11+i), fmt.Sprintf("host%d", i+1)}
		h.listener, h.http = 8080, 21000
		link(t, h.network, h.address, s.router, h.link)
		must(t, s.router.IP("link", "set", h.link, "master", "lan"))
		must(t, h.network.IP("route", "add", "default", "via", routerAddress))
		s.hosts = append(s.hosts, h)
	}
	for i := range 2 {
		var app *rig.App
		err := s.router.Do(func() (err error) {
			app, err = rig.StartAppAt(application, net.JoinHostPort(routerAddress, strconv.Itoa(9001+i)))
			return err
		})
		s.services.add(app, err)
	}
	return s
}

func namespace(t *testing.T) *rig.Namespace {
	t.Helper()
	n, err := rig.CreateNamespace()
	must(t, err)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// link connects a host's interface eth0 with one of the router.
func link(t *testing.T, n *rig.Namespace, address string, router *rig.Namespace, name string) {
	t.Helper()
	must(t, router.IP("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", n.Name()))
	must(t, router.IP("link", "set", name, "up"))
	must(t, n.IP("address", "add", address+"/24", "dev", "eth0"))
	must(t, n.IP("link", "set", "eth0", "up"))
}

// start starts a host's haproxy-zk.
func (s *site) start(h *host, stopDelay time.Duration) {
	s.t.Helper()
	h.start(s.services.setting(), "STOP_DELAY="+stopDelay.String(), "LISTENER_HOLD=0s")
}

// program starts a program on a host.
func program(t *testing.T, n *rig.Namespace, name string, args ...string) *rig.Program {
	t.Helper()
	cmd := n.Command(name, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin"}
	p, err := rig.StartProgram(cmd)
	must(t, err)
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.Output())
		}
	})
	return p
}

// adapted writes a file of build/deploy into a directory, with other values in it, each of
// which must be there, and returns its path.
func adapted(t *testing.T, dir, file string, replace map[string]string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "build", "deploy", file))
	must(t, err)
	adapted := string(text)
	for old, value := range replace {
		if !strings.Contains(adapted, old) {
			t.Fatalf("%s has no %q", file, old)
		}
		adapted = strings.ReplaceAll(adapted, old, value)
	}
	path := filepath.Join(dir, filepath.Base(file))
	// Programs that drop their privileges read it.
	must(t, os.Chmod(dir, 0o755))
	must(t, os.WriteFile(path, []byte(adapted), 0o644))
	return path
}

// String returns the host's address, for messages.
func (h *host) String() string { return h.address }

// restart starts a host's haproxy-zk again.
func (s *site) restart(h *host, stopDelay time.Duration) {
	s.t.Helper()
	must(s.t, h.daemon.Close())
	s.start(h, stopDelay)
}

// killHAProxy kills its HAProxy processes.
func (h *host) killHAProxy() {
	h.t.Helper()
	left, err := h.daemon.Leftovers()
	must(h.t, err)
	for _, p := range left {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
}

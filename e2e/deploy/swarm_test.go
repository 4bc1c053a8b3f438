//go:build deploy

package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	zookeeperImage = "haproxy-zk-test-zookeeper:latest"
	appImage       = "haproxy-zk-test-app:latest"
	// converges bounds an update of a service, with its rollback.
	converges = 3 * time.Minute
)

// swarm is a Docker Swarm of one node, this host, with a ZooKeeper and instances of an
// application that register in it.
type swarm struct {
	t *testing.T
	// network is that of ZooKeeper, the application and the load balancers.
	network string
	// app is the service of the application.
	app string
}

func newSwarm(t *testing.T) *swarm {
	t.Helper()
	needs.Swarm(t)
	s := &swarm{t: t, app: rig.UniqueName("app")}
	_, missing := docker("network", "inspect", gateway)
	s.must("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", fmt.Sprintf("127.0.0.1:%d", port(t)),
		"--default-addr-pool", "10.213.0.0/16", "--default-addr-pool-mask-length", "24")
	t.Cleanup(func() {
		s.must("swarm", "leave", "--force")
		if missing != nil {
			s.eventually("the swarm's bridge is removed", func() error { _, err := docker("network", "rm", gateway); return err })
		}
	})
	var err error
	s.network, err = rig.CreateNetwork(t.Context(), "--driver", "overlay", "--attachable")
	must(t, err)
	t.Cleanup(func() {
		s.eventually("the network is removed", func() error { return rig.RemoveNetwork(s.network) })
	})
	zookeeper, err := rig.StartContainer(t.Context(), rig.ContainerOptions{Image: zookeeperImage, Networks: []string{s.network}, Alias: "zookeeper"})
	must(t, err)
	t.Cleanup(func() { must(t, zookeeper.Remove()) })
	s.must("service", "create", "--detach", "--no-resolve-image", "--name", s.app, "--network", s.network, "--endpoint-mode", "dnsrr",
		"--replicas", "2", "--env", "ZK_ADDR=zookeeper:2181", "--env", "APP="+application, appImage)
	t.Cleanup(func() { s.must("service", "rm", s.app); s.gone("label=com.docker.swarm.service.name=" + s.app) })
	return s
}

// gateway is the network through which containers of a swarm reach others.
const gateway = "docker_gwbridge"

// docker is [rig.Docker] also at the end of a test.
func docker(args ...string) (string, error) { return rig.Docker(context.Background(), args...) }

func (s *swarm) must(args ...string) string {
	s.t.Helper()
	text, err := docker(args...)
	must(s.t, err)
	return text
}

// eventually waits for what takes longer than a process does, also at the end of the test.
func (s *swarm) eventually(what string, check func() error) {
	s.t.Helper()
	if err := rig.Eventually(context.Background(), converges, check); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// gone waits until no container is left.
func (s *swarm) gone(filter string) {
	s.t.Helper()
	s.eventually("no container is left", func() error {
		left, err := docker("ps", "--all", "--quiet", "--filter", filter)
		if err == nil && left != "" {
			err = errors.New(left)
		}
		return err
	})
}

// builtImage is the image of haproxy-zk.
func builtImage() string {
	first, _, _ := strings.Cut(os.Getenv("HAPROXY_ZK_IMAGES"), ",")
	return cmp.Or(first, "haproxy-zk-test:2.6-"+runtime.GOARCH)
}

// tagged returns a name of its own for the image of haproxy-zk: another run may replace
// the image that was built.
func (s *swarm) tagged(what string) string {
	s.t.Helper()
	name := rig.UniqueName(what)
	s.must("tag", builtImage(), name)
	s.t.Cleanup(func() { s.must("rmi", name) })
	return name
}

// changed returns the name of a variant of an image.
func (s *swarm) changed(image, instruction string) string {
	s.t.Helper()
	container := s.must("create", image)
	defer s.must("rm", container)
	name := rig.UniqueName("changed")
	s.must("commit", "--change", instruction, container, name)
	// The engine keeps containers that ended until their service is removed.
	s.t.Cleanup(func() { s.must("rmi", "--force", name) })
	return name
}

//go:build image

package image

import (
	"context"
	"fmt"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// zookeeper starts a ZooKeeper for the stage.
func (s *stage) zookeeper(volume, network, alias string) *container {
	s.t.Helper()
	return run(s.t, rig.ContainerOptions{Image: zookeeperImage, Networks: []string{network}, Alias: alias, Flags: []string{"--volume", volume + ":/data"}})
}

func newVolume(t *testing.T) string {
	t.Helper()
	name := rig.UniqueName("volume")
	if _, err := rig.Docker(t.Context(), "volume", "create", name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := rig.DockerOutput(context.Background(), "volume", "rm", name); err != nil {
			t.Errorf("remove the volume %s: %v", name, err)
		}
	})
	return name
}

func (b *balancer) connected(want string) {
	b.s.t.Helper()
	eventually(b.s.t, "zookeeper_connected "+want, func() error {
		got, err := b.metric(`haproxyzk_zookeeper_connected{proxy="default"}`)
		if err == nil && got != want {
			err = fmt.Errorf("it is %s", got)
		}
		return err
	})
}

// Disconnected from ZooKeeper it keeps serving, and catches up once reconnected.
func TestDisconnectedFromZooKeeper(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		front := newNetwork(t)
		back := newNetwork(t, "--internal")
		s := newStage(t, image)
		zookeeper := s.zookeeper(newVolume(t), back, "zookeeper-back")
		if err := zookeeper.Join(t.Context(), front, "zookeeper"); err != nil {
			t.Fatal(err)
		}
		// The applications are in front only, and still reach ZooKeeper there.
		s.networks = []string{front}
		a, c := s.app("web"), s.app("web")
		s.networks = []string{front, back}
		b := s.balancer("--env", "ZK_ADDR=zookeeper-back:2181")
		s.networks = []string{front}
		b.serves("web", a, c)
		load := b.load("web")
		s.used(load, a, c)

		if _, err := rig.Docker(t.Context(), "network", "disconnect", back, b.ID); err != nil {
			t.Fatal(err)
		}
		b.connected("0")
		meanwhile := s.app("web")
		b.serves("web", a, c)
		if code, body := b.get("/readyz"); code != 200 {
			t.Errorf("without ZooKeeper it is not ready: %d %s", code, body)
		}
		if err := b.Join(t.Context(), back, ""); err != nil {
			t.Fatal(err)
		}
		b.connected("1")
		b.serves("web", a, c, meanwhile)
		s.used(load, meanwhile)
		s.retire(a)
		b.serves("web", c, meanwhile)
		s.lost(load)
	})
}

// A ZooKeeper that returns with another address is found by its name.
func TestZooKeeperMoves(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		network := newNetwork(t)
		s := newStage(t, image)
		s.networks = []string{network}
		volume := newVolume(t)
		zookeeper := s.zookeeper(volume, network, "zookeeper")
		a, c := s.app("web"), s.app("web")
		b := s.balancer()
		b.serves("web", a, c)
		load := b.load("web")
		s.used(load, a, c)

		before, err := zookeeper.IP(network)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := zookeeper.stop(); err != nil {
			t.Fatal(err)
		}
		if err := zookeeper.Remove(); err != nil {
			t.Fatal(err)
		}
		b.connected("0")
		// Another container takes the address.
		run(t, rig.ContainerOptions{Image: appImage, Networks: []string{network}, Flags: []string{"--env", "ZK_ADDR=zookeeper:2181", "--env", "ZK_PATH=/elsewhere"}})
		after, err := s.zookeeper(volume, network, "zookeeper").IP(network)
		if err != nil {
			t.Fatal(err)
		}
		if after == before {
			t.Fatalf("ZooKeeper has the address %s again, so that this shows nothing", after)
		}
		b.connected("1")
		next := s.app("web")
		b.serves("web", a, c, next)
		s.used(load, next)
		s.retire(a)
		b.serves("web", c, next)
		s.lost(load)
	})
}

package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// shared are the parts that all tests share, each test with its own path.
var shared struct {
	binary    string
	zookeeper *rig.ZooKeeper
	haproxies []rig.HAProxy
}

func TestMain(m *testing.M) {
	os.Exit(setUp(m))
}

func setUp(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "haproxy-zk-e2e-")
	if err == nil {
		defer os.RemoveAll(dir)
		shared.haproxies, err = rig.HAProxies()
	}
	if err == nil {
		shared.binary, err = rig.Build(ctx, true)
	}
	if err == nil {
		shared.zookeeper, err = rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: dir})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "set up:", err)
		return 1
	}
	defer func() {
		if err := shared.zookeeper.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "stop zookeeper:", err)
		}
	}()
	return m.Run()
}

package browser

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
	// binary has the race detector, plain has not: it is for what is measured.
	binary, plain string
	zookeeper     *rig.ZooKeeper
	haproxies     []rig.HAProxy
	haproxy       rig.HAProxy // that of most tests
}

func TestMain(m *testing.M) {
	os.Exit(setUp(m))
}

func setUp(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "haproxy-zk-browser-")
	if err == nil {
		defer os.RemoveAll(dir)
		shared.haproxies, err = rig.HAProxies()
	}
	if err == nil {
		shared.haproxy = shared.haproxies[len(shared.haproxies)-1]
		shared.binary, err = rig.Build(ctx, true)
	}
	if err == nil {
		shared.plain, err = rig.Build(ctx, false)
	}
	if err == nil {
		shared.zookeeper, err = rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: dir, Heap: "512m"})
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

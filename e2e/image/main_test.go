//go:build image

package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	zookeeperImage = "haproxy-zk-test-zookeeper:latest"
	appImage       = "haproxy-zk-test-app:latest"

	// within bounds every wait for something that normally takes a second or two.
	within = 40 * time.Second
	setUp  = 2 * time.Minute
)

// shared are the parts that most tests share, each test with its own path.
var shared struct {
	images    []Image
	network   string
	zookeeper *container
	registry  *rig.Registry
}

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), setUp)
	defer cancel()
	fail := func(what string, err error) int {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		return 1
	}
	var err error
	if shared.images, err = images(ctx); err != nil {
		return fail("images", err)
	}
	if shared.network, err = rig.CreateNetwork(ctx); err != nil {
		return fail("network", err)
	}
	defer func() {
		if err := rig.RemoveNetwork(shared.network); err != nil {
			code = fail("network", err)
		}
	}()
	shared.zookeeper, err = start(ctx, rig.ContainerOptions{Image: zookeeperImage, Networks: []string{shared.network}, Alias: "zookeeper"})
	if err != nil {
		return fail("zookeeper", err)
	}
	defer func() {
		if err := shared.zookeeper.Remove(); err != nil {
			code = fail("zookeeper", err)
		}
	}()
	ip, err := shared.zookeeper.IP(shared.network)
	if err == nil {
		shared.registry, err = rig.ConnectRegistry(ctx, ip+":2181", 10*time.Second)
	}
	if err != nil {
		return fail("zookeeper", errors.Join(err, errors.New(shared.zookeeper.Logs())))
	}
	defer shared.registry.Close()
	return m.Run()
}

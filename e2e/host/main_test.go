//go:build release

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	hostImage      = "haproxy-zk-test-host:latest"
	zookeeperImage = "haproxy-zk-test-zookeeper:latest"
	appImage       = "haproxy-zk-test-app:latest"

	// within bounds every wait for something that normally takes a second or two.
	within = time.Minute
	setUp  = 2 * time.Minute
)

// shared are the packages, without .deb and .rpm, and what all tests use.
var shared struct {
	newer, older string
	network      string
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
	for name, path := range map[string]*string{"PACKAGE": &shared.newer, "OLDER_PACKAGE": &shared.older} {
		var err error
		if os.Getenv(name) == "" {
			return fail(name, errors.New("it names no package: run `make release-check`"))
		}
		if *path, err = filepath.Abs(os.Getenv(name)); err != nil {
			return fail(name, err)
		}
	}
	var err error
	if shared.network, err = rig.CreateNetwork(ctx); err != nil {
		return fail("network", err)
	}
	defer func() {
		if err := rig.RemoveNetwork(shared.network); err != nil {
			code = fail("network", err)
		}
	}()
	zookeeper, err := rig.StartContainer(ctx, rig.ContainerOptions{Image: zookeeperImage, Networks: []string{shared.network}, Alias: "zookeeper"})
	if err != nil {
		return fail("zookeeper", err)
	}
	defer func() {
		if err := zookeeper.Remove(); err != nil {
			code = fail("zookeeper", err)
		}
	}()
	return m.Run()
}

//go:build image

package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// Image is a built image of haproxy-zk.
type Image struct {
	Tag      string
	Arch     string
	Emulated bool
	HAProxy  rig.HAProxy
}

// Workers returns how many workers a test configures: two if they are processes.
func (i Image) Workers() int {
	if i.HAProxy.Nbproc {
		return 2
	}
	return 1
}

// images inspects the images in HAPROXY_ZK_IMAGES, separated by commas. One must be of
// this machine's architecture.
func images(ctx context.Context) ([]Image, error) {
	var all []Image
	native := false
	for tag := range strings.SplitSeq(os.Getenv("HAPROXY_ZK_IMAGES"), ",") {
		if tag == "" {
			continue
		}
		arch, err := rig.Docker(ctx, "image", "inspect", "--format", "{{.Architecture}}", tag)
		if err != nil {
			return nil, err
		}
		version, err := rig.Docker(ctx, "run", "--rm", "--platform", "linux/"+arch, "--entrypoint", "haproxy", tag, "-v")
		if err != nil {
			return nil, err
		}
		haproxy, err := rig.ParseHAProxy("haproxy", version)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", tag, err)
		}
		all = append(all, Image{Tag: tag, Arch: arch, Emulated: arch != runtime.GOARCH, HAProxy: haproxy})
		native = native || arch == runtime.GOARCH
	}
	if !native {
		return nil, errors.New("HAPROXY_ZK_IMAGES names no image of this machine's architecture: run `make image-test`")
	}
	return all, nil
}

// onEveryImage runs a test with each image of this machine's architecture, in parallel
// with others, since tests mostly wait. Call it once per test.
func onEveryImage(t *testing.T, test func(*testing.T, Image)) {
	t.Helper()
	t.Parallel()
	for _, i := range shared.images {
		if !i.Emulated {
			t.Run(i.HAProxy.Name, func(t *testing.T) {
				t.Parallel()
				test(t, i)
			})
		}
	}
}

//go:build image

package image

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	golangImage = "haproxy-zk-test-golang:latest"
	buildWithin = 8 * time.Minute // it compiles if the build cache of golangImage does not match
)

// builder is one of the builders of `docker build` on this machine.
type builder struct {
	name     string
	docker   string // the client
	buildkit string // the value of DOCKER_BUILDKIT
}

// builders returns the legacy builder and BuildKit. Client 20.10 has both, later ones
// have BuildKit in the plugin buildx: Debian's client is used if it is missing.
func builders(t *testing.T) []builder {
	t.Helper()
	all := []builder{{"legacy", "docker", "0"}}
	for _, docker := range []string{"docker", "/usr/bin/docker"} {
		b := builder{"BuildKit", docker, "1"}
		if _, err := b.command(t.Context(), "build", "--help").CombinedOutput(); err == nil {
			return append(all, b)
		}
	}
	t.Error("no Docker client here has BuildKit: install docker.io or the plugin buildx")
	return all
}

func (b builder) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.docker, args...)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT="+b.buildkit)
	cmd.Dir = "../.."
	return cmd
}

// build builds an image of the repository, which is removed at the end of the test. It
// returns the image's tag and the output.
func (b builder) build(t *testing.T, args ...string) (tag, output string) {
	t.Helper()
	tag = rig.UniqueName("built")
	ctx, cancel := context.WithTimeout(t.Context(), buildWithin)
	defer cancel()
	args = append([]string{"build", "--tag", tag, "--build-arg", "GO_IMAGE=" + golangImage}, args...)
	text, err := b.command(ctx, append(args, ".")...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	removeTag(t, tag)
	return tag, string(text)
}

// removeTag removes an image at the end of the test.
func removeTag(t *testing.T, tag string) {
	t.Helper()
	t.Cleanup(func() {
		if _, err := rig.Docker(context.Background(), "image", "rm", tag); err != nil {
			t.Error(err)
		}
	})
}

// base returns the HAProxy image that a built image is based on.
func (i Image) base(t *testing.T) string {
	t.Helper()
	name, err := rig.Docker(t.Context(), "image", "inspect", "--format", `{{index .Config.Labels "org.opencontainers.image.base.name"}}`, i.Tag)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(name, "docker-daemon:")
}

// defaultOf returns the Dockerfile's default of a build argument.
func defaultOf(t *testing.T, arg string) string {
	t.Helper()
	for line := range strings.Lines(read(t, "Dockerfile")) {
		if value, ok := strings.CutPrefix(line, "ARG "+arg+"="); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("the Dockerfile has no ARG %s with a default", arg)
	return ""
}

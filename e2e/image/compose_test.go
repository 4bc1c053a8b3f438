//go:build image

package image

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// compose is a project made from the compose file for users.
type compose struct {
	t       *testing.T
	command []string
	env     []string
	within  time.Duration // bounds every command
}

func newCompose(t *testing.T, image Image) (c *compose, listeners, queries []string) {
	t.Helper()
	c = &compose{t: t, within: setUp, command: []string{"docker-compose"}}
	if _, err := rig.Docker(t.Context(), "compose", "version"); err == nil {
		c.command = []string{"docker", "compose"}
	}
	c.command = append(c.command, "--file", "../../compose.yaml", "--project-name", rig.UniqueName("compose"))
	c.env = append(os.Environ(), "HAPROXY_ZK_IMAGE="+image.Tag, "ZOOKEEPER_IMAGE="+zookeeperImage, "APP_IMAGE="+appImage)
	for n := 1; n <= 2; n++ {
		for what, addrs := range map[string]*[]string{"LISTENER": &listeners, "QUERY": &queries} {
			port, err := rig.FreePort()
			if err != nil {
				t.Fatal(err)
			}
			c.env = append(c.env, fmt.Sprintf("%s_%d=%d", what, n, port))
			*addrs = append(*addrs, fmt.Sprintf("127.0.0.1:%d", port))
		}
	}
	return c, listeners, queries
}

func (c *compose) run(args ...string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), c.within)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.command[0], append(c.command[1:], args...)...)
	cmd.Env = c.env
	if output, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%s %s: %v\n%s", c.command[0], strings.Join(args, " "), err, output)
	}
}

// `docker compose up --build` finds everything that it compiles.
func TestComposeBuildsItsImages(t *testing.T) {
	image := shared.images[0]
	c, _, _ := newCompose(t, image)
	c.within = buildWithin
	built, app := rig.UniqueName("built"), rig.UniqueName("built")
	c.env = append(c.env, "HAPROXY_ZK_IMAGE="+built, "APP_IMAGE="+app, "HAPROXY_IMAGE="+image.base(t))
	c.run("build", "--build-arg", "GO_IMAGE="+golangImage)
	removeTag(t, built)
	removeTag(t, app)
	isVersion(t, built, defaultOf(t, "VERSION"))
}

// The compose file works as its comment says.
func TestCompose(t *testing.T) {
	t.Parallel()
	image := shared.images[0]
	c, listeners, queries := newCompose(t, image)
	t.Cleanup(func() { c.run("down", "--volumes", "--timeout", "20") })
	c.run("up", "--detach", "--no-build")
	serves := func(group string, instances int) {
		t.Helper()
		for n, query := range queries {
			eventually(t, group, func() error {
				code, body := rig.Get("http://" + query + "/default/" + group)
				var document map[string]map[string]struct{ Instances []string }
				if err := json.Unmarshal([]byte(body), &document); err != nil || code != http.StatusOK {
					return fmt.Errorf("query API: %d %s %w", code, body, err)
				}
				if got := document["default"][group].Instances; len(got) != instances {
					return fmt.Errorf("balancer %d has %v, want %d", n+1, got, instances)
				}
				return nil
			})
			eventually(t, "requests for "+group, func() error {
				code, body := rig.Get("http://" + listeners[n] + "/" + group + "/")
				if code != http.StatusOK || !strings.HasPrefix(body, group+" ") {
					return fmt.Errorf("balancer %d: %d %s", n+1, code, body)
				}
				return nil
			})
		}
	}
	serves("shop", 1)
	serves("account", 1)
	c.run("up", "--detach", "--no-build", "--scale", "shop=3")
	serves("shop", 3)
	c.run("up", "--detach", "--no-build", "--scale", "shop=1")
	serves("shop", 1)
}

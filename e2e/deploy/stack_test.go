//go:build deploy

package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// stack is build/deploy/swarm/stack.yaml, deployed to the swarm. It has one load balancer
// per node, so two of them stand for two nodes.
type stack struct {
	*swarm
	name, file string
	ports
	// env is what it was deployed with.
	env map[string]string
}

// newStack deploys a stack with an image, and waits until it is ready.
func (s *swarm) newStack(image string) *stack {
	s.t.Helper()
	dir := home(s.t)
	k := &stack{
		swarm: s, name: rig.UniqueName("stack"), ports: ports{port(s.t), port(s.t)},
		// The test waits for what an operator may wait for a little longer.
		file: adapted(s.t, dir, "swarm/stack.yaml", map[string]string{
			"monitor: 30s": "monitor: 5s", "start_period: 15s": "start_period: 5s", "interval: 5s": "interval: 2s",
		}),
	}
	lines, err := filepath.Abs(filepath.Join("..", "..", "build", "deploy", "swarm", "lines.cfg"))
	must(s.t, err)
	k.env = map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": dir, "DOCKER_HOST": os.Getenv("DOCKER_HOST"),
		"STACK": k.name, "NETWORK": s.network, "ZK_ADDR": "zookeeper:2181", "HAPROXY_ZK_IMAGE": image, "LINES_FILE": lines,
		"LISTENER_PORT": fmt.Sprint(k.listener), "HTTP_PORT": fmt.Sprint(k.http), "ADMIN_FILE": k.write("admin.txt", "first"),
	}
	s.t.Cleanup(func() {
		if s.t.Failed() {
			text, err := rig.DockerOutput(context.Background(), "service", "logs", "--raw", "--tail", "60", k.service())
			s.t.Logf("%s said:\n%s, %v", k.name, text, err)
		}
		s.must("stack", "rm", k.name)
		s.gone("label=com.docker.stack.namespace=" + k.name)
		s.eventually("the volume is removed", func() error { _, err := docker("volume", "rm", k.name+"_state"); return err })
	})
	must(s.t, k.deploy(k.env))
	s.eventually("the stack serves", k.ready)
	return k
}

func (k *stack) service() string { return k.name + "_balancer" }

// write writes a file of the stack and returns its path.
func (k *stack) write(name, text string) string {
	k.t.Helper()
	path := filepath.Join(filepath.Dir(k.file), name)
	must(k.t, os.WriteFile(path, []byte(text+"\n"), 0o600))
	return path
}

// with returns the stack's variables with others, as in "A=1".
func (k *stack) with(set ...string) map[string]string {
	env := maps.Clone(k.env)
	for _, s := range set {
		name, value, _ := strings.Cut(s, "=")
		env[name] = value
	}
	return env
}

// deploy deploys the stack's file with variables. It does not wait.
func (k *stack) deploy(env map[string]string) error {
	ctx, cancel := context.WithTimeout(k.t.Context(), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", "stack", "deploy", "--detach=true", "--resolve-image", "never", "--compose-file", k.file, k.name)
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

// update deploys the stack with other variables, and waits until the engine calls the
// update ended: completed, or rollback_completed. It returns how long that took.
func (k *stack) update(ended string, set ...string) time.Duration {
	k.t.Helper()
	began, before, env := time.Now(), k.status().StartedAt, k.with(set...)
	must(k.t, k.deploy(env))
	k.eventually("the update is "+ended, func() error {
		if got := k.status(); got.State != ended || got.StartedAt.Equal(before) {
			return fmt.Errorf("%s: %s", got.State, got.Message)
		}
		return k.ready()
	})
	if ended == "completed" {
		k.env = env
	}
	return time.Since(began)
}

// updateStatus is what the engine says of the latest update of a service.
type updateStatus struct {
	State, Message string
	StartedAt      time.Time
}

func (k *stack) status() (s updateStatus) {
	k.t.Helper()
	text := k.must("service", "inspect", "--format", "{{json .UpdateStatus}}", k.service())
	must(k.t, json.Unmarshal([]byte(text), &s))
	return s
}

// container returns the id of the running container.
func (k *stack) container() string {
	k.t.Helper()
	return k.must("ps", "--quiet", "--filter", "label=com.docker.swarm.service.name="+k.service(), "--filter", "status=running")
}

// ready returns nil if /readyz is 200.
func (k *stack) ready() error {
	code, body := rig.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", k.http))
	if code != http.StatusOK {
		return fmt.Errorf("readyz: %d %s", code, body)
	}
	return nil
}

// instances waits until the load balancer has so many of the application.
func (k *stack) instances(want int) {
	k.t.Helper()
	k.eventually(fmt.Sprintf("%d instances", want), func() error {
		_, body := rig.Get(fmt.Sprintf("http://127.0.0.1:%d/default/%s", k.http, application))
		var document map[string]map[string]struct{ Instances []string }
		if err := json.Unmarshal([]byte(body), &document); err != nil {
			return fmt.Errorf("%w: %s", err, body)
		}
		if got := document["default"][application].Instances; len(got) != want {
			return fmt.Errorf("it has %v", got)
		}
		return nil
	})
}

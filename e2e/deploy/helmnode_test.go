//go:build deploy

package deploy

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// charted is the namespace of the chart's release, which has its name.
const charted = "charted"

// release installs the chart, upgrades it, and lets an upgrade fail.
func (r *rollouts) release() {
	r.t.Helper()
	r.kubectl("create", "namespace", charted)
	r.kubectl("label", "namespace", charted, "pod-security.kubernetes.io/enforce=restricted")
	must(r.t, r.helm("install"))
	r.settled(charted, replicas)
	r.addr = r.reachable(r.kubectl("--namespace", charted, "get", "service", "--output", "jsonpath={.items[0].spec.ports[0].nodePort}"))
	r.losesNothing("helm upgrade", func() {
		must(r.t, r.helm("upgrade", "--set", "variables.LOG_LEVEL=debug"))
		r.settled(charted, replicas)
	})
	r.losesNothing("helm upgrade to an image that does not exist, rolled back", func() {
		if r.helm("upgrade", "--rollback-on-failure", "--set", "image.tag=absent") == nil {
			r.t.Error("the upgrade succeeded")
		}
		for _, p := range r.settled(charted, replicas) {
			if image := p.Spec.Containers[0].Image; strings.Contains(image, "absent") {
				r.t.Errorf("%s has the image %s", p.Metadata.Name, image)
			}
		}
	})
}

// helm runs a command with the chart, and waits until it is rolled out.
func (r *rollouts) helm(command string, args ...string) error {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), converges)
	defer cancel()
	chart, err := filepath.Abs("../../build/deploy/helm/haproxy-zk")
	must(r.t, err)
	config := r.machine.write("chart.json", fmt.Sprintf(`{"default": {"zk.addr": %q, "groups": {"*": {}}}}`, zookeeperService))
	args = append([]string{
		command, charted, chart, "--namespace", charted, "--kubeconfig", r.api.config,
		"--set-file", "config=" + config, "--wait", "--timeout", "30s",
	}, args...)
	cmd := r.api.network.Command(helm(r.t), args...)
	run := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	run.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.machine.dir}
	if output, err := run.CombinedOutput(); err != nil {
		return fmt.Errorf("helm %s: %w: %s", command, err, output)
	}
	return nil
}

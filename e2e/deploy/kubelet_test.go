//go:build deploy

package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// pauseImage builds the image of the containers that hold the networks of pods.
func (c *cluster) pauseImage() string {
	c.t.Helper()
	dir, name := home(c.t), rig.UniqueName("pause")
	build := exec.CommandContext(c.t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-o", filepath.Join(dir, "pause"), "./pause")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		c.t.Fatalf("%v: %s", err, output)
	}
	archive := filepath.Join(dir, "pause.tar")
	if output, err := exec.CommandContext(c.t.Context(), "tar", "--create", "--file", archive, "--directory", dir, "pause").CombinedOutput(); err != nil {
		c.t.Fatalf("%v: %s", err, output)
	}
	_, err := docker("import", "--change", `ENTRYPOINT ["/pause"]`, archive, name)
	must(c.t, err)
	c.t.Cleanup(func() {
		if _, err := docker("rmi", name); err != nil {
			c.t.Error(err)
		}
	})
	return name
}

// startContainerd starts containerd, and gives it the images that the Docker engine has.
func (c *cluster) startContainerd() {
	c.t.Helper()
	m, pause := c.machine, c.pauseImage()
	c.containerd = m.file("containerd.sock")
	config := m.write("containerd.toml", fmt.Sprintf(`version = 2
root = "%[1]s/containerd"
state = "%[1]s/containerd.state"
[grpc]
  address = %[2]q
[plugins."io.containerd.internal.v1.opt"]
  path = "%[1]s/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/%[3]s:latest"
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "%[1]s/cni"
`, m.dir, c.containerd, pause))
	m.write("cni/10-pods.conflist", `{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": {
  "type": "host-local", "ranges": [[{"subnet": "10.215.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/var/lib/cni/networks"}}]}`)
	m.start("containerd", "--config", config)
	c.eventually("containerd answers", func() error { return m.run("ctr", "--address", c.containerd, "version") })
	archive := m.file("images.tar")
	_, err := docker("save", "--output", archive, pause, zookeeperImage, appImage, builtImage())
	must(c.t, err)
	must(c.t, c.ctr("images", "import", archive))
	must(c.t, os.Remove(archive))
	must(c.t, c.ctr("images", "tag", "docker.io/library/"+builtImage(), "docker.io/library/haproxy-zk:latest"))
}

func (c *cluster) ctr(args ...string) error {
	return c.machine.run("ctr", append([]string{"--address", c.containerd, "--namespace", "k8s.io"}, args...)...)
}

// startKubelet starts the kubelet. It may have run before.
func (c *cluster) startKubelet() {
	c.t.Helper()
	m := c.machine
	config := m.write("kubelet.yaml", fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://%[2]s
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
cgroupRoot: /%[3]s
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
evictionHard: {memory.available: 50Mi}
imageGCHighThresholdPercent: 100
podLogsDir: %[1]s/logs
volumePluginDir: %[1]s/plugins
resolvConf: %[4]s
`, m.dir, c.containerd, m.group, m.write("resolv.conf", "")))
	c.kubelet = m.start(kubernetes(c.t, "kubelet"), "--config", config, "--kubeconfig", c.api.config, "--root-dir", m.file("kubelet"),
		"--cert-dir", m.file("kubelet-certs"), "--hostname-override", nodeName, "--node-ip", nodeAddress)
}

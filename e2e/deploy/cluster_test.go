//go:build deploy

package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	nodeName    = "node1"
	nodeAddress = clientRouter
	// zookeeperService is its address in testdata/services.yaml.
	zookeeperService = "10.96.0.21:2181"
)

// cluster is a Kubernetes of one real node, with ZooKeeper and an application, and a client
// outside of it:
//
//	client ── 203.0.113.0/24 ── node1 ── 10.215.0.0/24: pods
type cluster struct {
	t              *testing.T
	api            *apiserver
	machine        *machine
	client         *rig.Namespace
	kubelet, proxy *rig.Program
	// containerd is its socket.
	containerd string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	needs.Networks(t)
	needs.Namespaces(t)
	network := namespace(t)
	c := &cluster{t: t, client: namespace(t), api: &apiserver{t: t, dir: home(t), network: network}}
	link(t, c.client, clientAddress, network, "client")
	must(t, network.IP("address", "add", nodeAddress+"/24", "dev", "client"))
	must(t, network.IP("route", "add", "default", "via", clientAddress))
	must(t, network.Set("ipv4/ip_forward", "1"))
	c.machine = newMachine(t, network)
	c.startControlPlane()
	c.startContainerd()
	c.startKubelet()
	c.kubectl("wait", "--for=create", "node/"+nodeName, "--timeout=60s")
	c.kubectl("wait", "--for=condition=Ready", "node/"+nodeName, "--timeout=60s")
	c.apply("../../e2e/deploy/testdata/services.yaml", map[string]string{"ZOOKEEPER_IMAGE": zookeeperImage, "APP_IMAGE": appImage})
	c.kubectl("--namespace=zookeeper", "rollout", "status", "deployment/web", "--timeout=90s")
	return c
}

// startControlPlane starts what runs beside a node, and kube-proxy.
func (c *cluster) startControlPlane() {
	c.t.Helper()
	s := c.api
	s.serve("--allow-privileged", "--kubelet-preferred-address-types", "InternalIP")
	s.start("kube-controller-manager", "--kubeconfig", c.api.config, "--service-account-private-key-file", s.file("sa.key"),
		"--leader-elect=false", "--secure-port=0", "--flex-volume-plugin-dir", s.file("plugins"))
	s.start("kube-scheduler", "--kubeconfig", c.api.config, "--leader-elect=false", "--secure-port=0")
	config := s.file("proxy.yaml")
	must(c.t, os.WriteFile(config, []byte(fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: %s
clientConnection: {kubeconfig: %s}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`, nodeName, s.config)), 0o600))
	c.proxy = s.start("kube-proxy", "--config", config)
}

// apply applies a file of build/deploy, with other values in it.
func (c *cluster) apply(file string, replace map[string]string) {
	c.t.Helper()
	c.kubectl("apply", "--warnings-as-errors", "--filename", adapted(c.t, home(c.t), file, replace))
}

// kubectl returns its output.
func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	output, err := c.tryKubectl(args...)
	must(c.t, err)
	return output
}

func (c *cluster) tryKubectl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), converges)
	defer cancel()
	command := c.api.network.Command(kubernetes(c.t, "kubectl"), append([]string{"--kubeconfig", c.api.config, "--cache-dir", c.api.file("cache")}, args...)...)
	output, err := exec.CommandContext(ctx, command.Path, command.Args[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, output)
	}
	return string(output), nil
}

// eventually waits for what takes longer than a process does.
func (c *cluster) eventually(what string, check func() error) {
	c.t.Helper()
	if err := rig.Eventually(c.t.Context(), converges, check); err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

// pod is one of the load balancers.
type pod struct {
	Metadata struct{ Name, DeletionTimestamp string }
	Spec     struct{ Containers []struct{ Image string } }
	Status   struct {
		PodIP             string
		Conditions        []struct{ Type, Status string }
		ContainerStatuses []struct{ State, LastState containerState }
	}
}

// containerState is running, or terminated, or neither.
type containerState struct {
	Running    *struct{ StartedAt string }
	Terminated *struct{ ExitCode int }
}

// exited reports whether the pod's container has ended with this code, the last time.
func (p pod) exited(code int) bool {
	for _, container := range p.Status.ContainerStatuses {
		for _, state := range []containerState{container.State, container.LastState} {
			if state.Terminated != nil && state.Terminated.ExitCode == code {
				return true
			}
		}
	}
	return false
}

func (p pod) running() bool {
	for _, container := range p.Status.ContainerStatuses {
		if container.State.Running != nil {
			return true
		}
	}
	return false
}

func (p pod) ready() bool {
	for _, condition := range p.Status.Conditions {
		if condition.Type == "Ready" {
			return condition.Status == "True"
		}
	}
	return false
}

// count returns how many pods are so.
func count(pods []pod, so func(pod) bool) (n int) {
	for _, p := range pods {
		if so(p) {
			n++
		}
	}
	return n
}

// pods returns the load balancers of a namespace, including those that are being deleted.
func (c *cluster) pods(namespace string) ([]pod, error) {
	code, _, answer, err := c.api.do(http.MethodGet, "/api/v1/namespaces/"+namespace+"/pods", nil)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%d %s", code, answer)
	}
	if err != nil {
		return nil, err
	}
	var list struct{ Items []pod }
	return list.Items, json.Unmarshal([]byte(answer), &list)
}

// settled waits until there are so many load balancers, which are all ready.
func (c *cluster) settled(namespace string, want int) []pod {
	c.t.Helper()
	var all []pod
	c.eventually(fmt.Sprintf("%d pods are ready, and no other is left", want), func() (err error) {
		if all, err = c.pods(namespace); err != nil {
			return err
		}
		ready := count(all, func(p pod) bool { return p.ready() && p.Metadata.DeletionTimestamp == "" })
		if ready != want || len(all) != want {
			return fmt.Errorf("%d of %d are ready: %+v", ready, len(all), all)
		}
		return nil
	})
	return all
}

// get returns what the client, or a pod of the node, gets from an address.
func get(n *rig.Namespace, url string) (string, error) {
	output, err := n.Command("curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "5", url).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return string(output), nil
}

// reachable waits until the application answers through a port of the node, and returns it.
func (c *cluster) reachable(port string) string {
	c.t.Helper()
	addr := net.JoinHostPort(nodeAddress, port)
	c.eventually("the application answers", func() error {
		body, err := get(c.client, "http://"+addr+target().Path)
		if err == nil && body == "" {
			err = errors.New("an empty answer")
		}
		return err
	})
	return addr
}

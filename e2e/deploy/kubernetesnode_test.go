//go:build deploy

package deploy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lag is for how long a node does not learn of changes, as in a large cluster: less than
// the manifest's preStop.
const lag = 3 * time.Second

// readinessProbe is that of the manifest.
const readinessProbe = `          readinessProbe:
            httpGet: {path: /readyz, port: api}
            periodSeconds: 2
            timeoutSeconds: 2
            failureThreshold: 2
`

// The manifest's load balancers lose no request of what happens to them on a real node. The
// same without its preStop, or without its probe of readiness, does.
func TestKubernetesNodeLosesNoRequest(t *testing.T) {
	r := newRollouts(t)
	r.losesNothing("a pod template is rolled out", func() {
		r.kubectl("--namespace", ofDeployment, "set", "env", deployment, "LOG_LEVEL=debug")
		r.rolledOut()
	})
	r.losesNothing("it is undone", r.undo)
	r.losesNothing("a pod is deleted", r.deletePod)
	r.losesNothing("the node is drained", r.drain)
	r.losesNothing("the kubelet is restarted", r.restartKubelet)
	r.losesNothing("the configuration is changed", r.reconfigure)
	r.losesNothing("a configuration with a mistake is rolled out and undone", func() {
		r.configure("haproxy-zk-3", `"groups":`, `"stop_grace": "a while", "groups":`)
		r.stuck(func(p pod) bool { return p.exited(2) })
	})
	r.losesNothing("a configuration without a ZooKeeper is rolled out and undone", func() {
		r.configure("haproxy-zk-4", zookeeperName, noZooKeeper)
		r.stuck(pod.running)
	})

	r.losesNothing("a pod is deleted and the node learns it late", r.deletePodUnnoticed)

	r.forgetSoon()
	r.kubectl("--namespace", ofDeployment, "patch", deployment, "--type=json", "--patch", `[{"op": "remove", "path": "/spec/template/spec/containers/0/lifecycle"}]`)
	r.rolledOut()
	r.loses("the same without preStop", r.deletePodUnnoticed)
	// A node that learns at once may lose none here.
	r.during("pods without preStop are replaced", r.undo)
	r.loses("a configuration without a ZooKeeper is rolled out without a probe of readiness", func() {
		r.configure("haproxy-zk-5", zookeeperName, noZooKeeper, readinessProbe, "")
		r.rolledOut()
	})
	r.undo()
	r.release()
	r.daemonSet()
}

// forgetSoon lets the node forget connections that got no answer. The client is one address,
// which uses its ports again after half a minute: with the kernel's two minutes such a
// connection would be led to a pod that is gone, and the next scenario would count it.
func (r *rollouts) forgetSoon() {
	r.t.Helper()
	for _, state := range []string{"syn_sent", "fin_wait"} {
		must(r.t, r.api.network.Set("netfilter/nf_conntrack_tcp_timeout_"+state, "2"))
	}
}

// noZooKeeper is an address at which nothing answers.
const noZooKeeper = "10.96.0.22:2181"

func (r *rollouts) undo() {
	r.t.Helper()
	r.kubectl("--namespace", ofDeployment, "rollout", "undo", deployment)
	r.rolledOut()
}

func (r *rollouts) deletePod() {
	r.t.Helper()
	name := r.settled(ofDeployment, replicas)[0].Metadata.Name
	r.kubectl("--namespace", ofDeployment, "delete", "pod", name, "--timeout=60s")
	r.settled(ofDeployment, replicas)
}

// deletePodUnnoticed deletes a pod while the node's rules stay as they are.
func (r *rollouts) deletePodUnnoticed() {
	r.t.Helper()
	name := r.settled(ofDeployment, replicas)[0].Metadata.Name
	must(r.t, r.proxy.Signal(syscall.SIGSTOP))
	// kubectl would take a part of the lag on a busy machine.
	code, _, answer, err := r.api.do(http.MethodDelete, "/api/v1/namespaces/"+ofDeployment+"/pods/"+name, nil)
	late := time.After(lag)
	if err != nil || code != http.StatusOK {
		r.t.Errorf("the pod is not deleted: %d %s, %v", code, answer, err)
	}
	<-late
	must(r.t, r.proxy.Signal(syscall.SIGCONT))
	r.settled(ofDeployment, replicas)
}

// drain drains the only node: the budget keeps one of two load balancers on it.
func (r *rollouts) drain() {
	r.t.Helper()
	output, err := r.tryKubectl("drain", nodeName, "--pod-selector=app=haproxy-zk", "--delete-emptydir-data", "--timeout=20s")
	if err == nil || !strings.Contains(err.Error(), "disruption budget") {
		r.t.Errorf("the budget does not stop the drain: %s, %v", output, err)
	}
	pods, err := r.pods(ofDeployment)
	must(r.t, err)
	if count(pods, pod.ready) != replicas-1 {
		r.t.Errorf("the drain did not leave one load balancer: %+v", pods)
	}
	r.kubectl("uncordon", nodeName)
	r.settled(ofDeployment, replicas)
}

// restartKubelet waits until the new one has reported.
func (r *rollouts) restartKubelet() {
	r.t.Helper()
	r.kubelet.Stop()
	r.eventually("the kubelet has ended", func() error { return r.machine.run("sh", "-c", "! pidof kubelet") })
	stopped := time.Now()
	r.startKubelet()
	r.eventually("the kubelet renews its lease", func() error {
		code, _, answer, err := r.api.do(http.MethodGet, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/"+nodeName, nil)
		if err != nil || code != http.StatusOK {
			return fmt.Errorf("%d %s, %w", code, answer, err)
		}
		var lease struct{ Spec struct{ RenewTime time.Time } }
		if err := json.Unmarshal([]byte(answer), &lease); err != nil {
			return err
		}
		if lease.Spec.RenewTime.Before(stopped) {
			return fmt.Errorf("renewed at %s", lease.Spec.RenewTime)
		}
		return nil
	})
	r.settled(ofDeployment, replicas)
}

// reconfigure rolls out another configuration, which all load balancers then have.
func (r *rollouts) reconfigure() {
	r.t.Helper()
	r.configure("haproxy-zk-2", `"*": {}`, `"*": {"balance": "leastconn"}`)
	for _, p := range r.rolledOut() {
		text, err := get(r.api.network, "http://"+p.Status.PodIP+":21000/default/config")
		if err != nil || !strings.Contains(text, "balance leastconn") {
			r.t.Errorf("%s has not the new configuration: %s, %v", p.Metadata.Name, text, err)
		}
	}
}

// stuck waits until the new pod of a rollout, which is not ready, has failed, finds the ones
// before serving, and undoes the rollout.
func (r *rollouts) stuck(failed func(pod) bool) {
	r.t.Helper()
	r.eventually("the new pod fails", func() error {
		pods, err := r.pods(ofDeployment)
		if err == nil && count(pods, func(p pod) bool { return !p.ready() && failed(p) }) == 0 {
			err = fmt.Errorf("%+v", pods)
		}
		return err
	})
	if output, err := r.tryKubectl("--namespace", ofDeployment, "rollout", "status", deployment, "--timeout=10s"); err == nil {
		r.t.Errorf("it was rolled out: %s", output)
	}
	pods, err := r.pods(ofDeployment)
	must(r.t, err)
	if count(pods, pod.ready) != replicas || len(pods) != replicas+1 {
		r.t.Errorf("the pods before are not as they were: %+v", pods)
	}
	r.undo()
}

// daemonSet rolls out the other manifest, whose load balancer is on the node's own ports.
func (r *rollouts) daemonSet() {
	const namespace = "haproxy-zk-host"
	r.apply("kubernetes/daemonset.yaml", map[string]string{zookeeperName: zookeeperService})
	r.settled(namespace, 1)
	r.addr = r.reachable("8080")
	r.losesNothing("the DaemonSet serves", func() {})
	r.loses("the DaemonSet is rolled out on the only node", func() {
		r.kubectl("--namespace", namespace, "set", "env", "daemonset/haproxy-zk", "LOG_LEVEL=debug")
		r.kubectl("--namespace", namespace, "rollout", "status", "daemonset/haproxy-zk", "--timeout=90s")
	})
}

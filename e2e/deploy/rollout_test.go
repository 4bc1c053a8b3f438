//go:build deploy

package deploy

import (
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	// ofDeployment is the namespace of build/deploy/kubernetes/deployment.yaml.
	ofDeployment = "haproxy-zk"
	deployment   = "deployment/haproxy-zk"
	replicas     = 2
	// zookeeperName is what the manifests have in place of its address.
	zookeeperName = "zookeeper.zookeeper.svc:2181"
)

// rollouts are the load balancers of build/deploy/kubernetes/deployment.yaml.
type rollouts struct {
	*cluster
	// addr is where the client reaches them: the Service's port of the node.
	addr string
}

func newRollouts(t *testing.T) *rollouts {
	t.Helper()
	r := &rollouts{cluster: newCluster(t)}
	r.configure("")
	r.settled(ofDeployment, replicas)
	r.addr = r.reachable(r.kubectl("--namespace", ofDeployment, "get", "service", "haproxy-zk", "--output", "jsonpath={.spec.ports[0].nodePort}"))
	return r
}

// configure applies the manifest with ZooKeeper's address, a name for its configuration
// unless that is empty, and pairs of texts, the first of which is replaced.
func (r *rollouts) configure(name string, changes ...string) {
	r.t.Helper()
	replace := map[string]string{zookeeperName: zookeeperService}
	if name != "" {
		replace["haproxy-zk-1"] = name
	}
	for i := 0; i < len(changes); i += 2 {
		replace[changes[i]] = changes[i+1]
	}
	r.apply("kubernetes/deployment.yaml", replace)
}

// rolledOut waits until the last change is rolled out and nothing else is left.
func (r *rollouts) rolledOut() []pod {
	r.t.Helper()
	r.kubectl("--namespace", ofDeployment, "rollout", "status", deployment, "--timeout=90s")
	return r.settled(ofDeployment, replicas)
}

// during counts the requests that are lost while something happens: all of them are on
// connections of their own.
func (r *rollouts) during(what string, act func()) (lost int) {
	r.t.Helper()
	r.atRest()
	failed := new(failures)
	load, err := rig.NewLoad(rig.LoadOptions{
		Failed: failed.add, Addr: r.addr, Dial: r.client.Dial, Targets: []rig.Target{target()}, Fresh: clients, Rate: rate / clients, Timeout: patience,
	})
	must(r.t, err)
	load.Start(r.t.Context())
	defer load.Stop()
	more(r.t, load, rate)
	act()
	// What it causes may come later: probes are made every two seconds.
	more(r.t, load, 5*rate)
	result := load.Stop()
	r.t.Logf("%s: of %d requests in %s %d were lost within %s", what, result.Requests, result.Elapsed.Round(time.Second/10), result.Failures, failed.lasted().Round(time.Second/10))
	if result.Failures > 0 {
		r.t.Log(result)
	}
	return result.Failures
}

// atRest waits until the node's rules lead to no pod any more that is gone: many connections
// in a row find one that answers.
func (r *rollouts) atRest() {
	r.t.Helper()
	r.eventually("every connection is answered", func() error {
		for range 20 {
			if _, err := get(r.client, "http://"+r.addr+target().Path); err != nil {
				return err
			}
		}
		return nil
	})
}

// losesNothing is for what must not lose a request.
func (r *rollouts) losesNothing(what string, act func()) {
	r.t.Helper()
	if lost := r.during(what, act); lost > 0 {
		r.t.Errorf("%s: %d requests were lost", what, lost)
	}
}

// loses is for what shows what a part of the manifest is for.
func (r *rollouts) loses(what string, act func()) {
	r.t.Helper()
	if r.during(what, act) == 0 {
		r.t.Errorf("%s: nothing was lost, so this test does not show what that is for", what)
	}
}

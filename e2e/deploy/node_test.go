package deploy

import (
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// An engine says in the environment where a load balancer runs, and that is where an
// operator of many looks.
func TestNodeAndZoneOfTheEnvironmentAreReported(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	s.add(rig.StartApp(application))
	b := newBalancer(t, nil)
	b.start(s.setting(), "NODE_NAME=node-7.example", "HAPROXY_ZK_NODE_ZONE=zone-b")
	for path, want := range map[string]string{
		"/readyz":  `{"ready":true,"node":"node-7.example","zone":"zone-b",`,
		"/metrics": `haproxyzk_node_info{node="node-7.example",zone="zone-b"} 1`,
		"/ui":      `<bdi>node-7.example</bdi> · <bdi>zone-b</bdi>`,
	} {
		if _, body := b.get(path); !strings.Contains(body, want) {
			t.Errorf("%s has no %s:\n%s", path, want, body)
		}
	}
	if want := `"node":"node-7.example","zone":"zone-b"`; !strings.Contains(b.daemon.Output(), want) {
		t.Errorf("the log has no %s", want)
	}
}

package query

import (
	"testing"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestOriginNamesTheSources(t *testing.T) {
	parts := []registry.Part{
		{Source: registry.ZooKeeper, Instances: []registry.Instance{instance("10.0.0.1:1"), instance("10.0.0.2:1")}},
		{Source: registry.Directory, Instances: []registry.Instance{instance("10.0.0.2:1")}},
		{Source: registry.Written, Instances: []registry.Instance{instance("10.0.0.3:1")}},
	}
	for addr, want := range map[string]string{
		"10.0.0.1:1": "registered in ZooKeeper",
		"10.0.0.2:1": "registered in ZooKeeper, in the directory",
		"10.0.0.3:1": "written in the configuration",
		"10.0.0.4:1": "registered",
	} {
		if got := origin(parts, instance(addr).Addr); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}

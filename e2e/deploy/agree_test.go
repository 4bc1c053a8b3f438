package deploy

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	// agreeWithin is how long after a change two load balancers may differ.
	agreeWithin = 2 * time.Second
	// shortChanges and longChanges are how many changes are made, without and with E2E_LONG.
	shortChanges, longChanges = 250, 1000
)

// Two load balancers on one ZooKeeper serve the same instances within 2 s of every change,
// in every HAProxy.
func TestLoadBalancersAgreeOnEveryChange(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	zookeeper, err := rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{})
	must(t, err)
	t.Cleanup(func() {
		if err := zookeeper.Close(); err != nil {
			t.Error(err)
		}
	})
	registry, err := zookeeper.Connect(ctx, 30*time.Second)
	must(t, err)
	t.Cleanup(registry.Close)
	node := "/services/" + application + "/instances"
	must(t, registry.Ensure(node))
	both := []*balancer{newBalancer(t, nil), newBalancer(t, nil)}
	for _, b := range both {
		b.start("ZK_ADDR="+zookeeper.Addr(), "MAX_SERVER=40")
	}

	changes := shortChanges
	if os.Getenv("E2E_LONG") != "" {
		changes = longChanges
	}
	var registered []string
	took := make([]time.Duration, 0, changes)
	for i := range changes {
		// Addresses are new, since one that comes and goes is damped. Nothing listens there.
		added := fmt.Sprintf("127.%d.%d.1:9", 1+i/250, i%250)
		begun := time.Now()
		switch {
		case i%3 == 2 && len(registered) > 5: // a deployment replaces one by another
			_, err = registry.Conn().Multi(
				&zk.CreateRequest{Path: node + "/" + added, Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral},
				&zk.DeleteRequest{Path: node + "/" + registered[0], Version: -1},
			)
			registered = append(registered[1:], added)
		case len(registered) < 20:
			err = registry.Register(node, added)
			registered = append(registered, added)
		default:
			err = registry.Unregister(node, registered[0])
			registered = registered[1:]
		}
		must(t, err)
		want := slices.Sorted(slices.Values(registered))
		for _, b := range both {
			eventually(t, fmt.Sprintf("change %d", i), func() error { return b.servers(want) })
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	slowest := took[len(took)-1]
	t.Logf("%d changes: both load balancers agreed within %s (median), %s (99 %%), %s (slowest)", changes, took[len(took)/2], took[len(took)*99/100], slowest)
	if slowest > agreeWithin {
		t.Errorf("they agreed only after %s", slowest)
	}
}

// servers returns nil if HAProxy has exactly these servers of the application, whether its
// checks find them up or not.
func (b *balancer) servers(want []string) error {
	servers, err := rig.ServersState(b.home + "/run/default.1.sock")
	if err != nil {
		return err
	}
	var got []string
	for _, s := range servers {
		const maintenance = 1 // of the administrative state
		if s.Backend == application && s.AdminState&maintenance == 0 && s.Endpoint() != "0.0.0.0:0" {
			got = append(got, s.Endpoint())
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("%s: -want +got\n%s", b.home, diff)
	}
	return nil
}

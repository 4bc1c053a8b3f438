package deploy

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// A second load balancer with an address of a first one ends with an error that names the
// address, and the first keeps serving with the processes that it had.
func TestSecondLoadBalancerOfAnAddressEndsWithAnError(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	s.add(rig.StartApp(application))
	first := newBalancer(t, nil)
	first.start(s.setting())
	workers := pidFile(t, first)
	load, err := rig.NewLoad(rig.LoadOptions{Addr: fmt.Sprintf("127.0.0.1:%d", first.listener), Targets: []rig.Target{target()}, KeepAlive: 4, Fresh: 4, MaxTime: within * 3})
	must(t, err)
	load.Start(t.Context())
	t.Cleanup(func() { load.Stop() })
	more(t, load, 100)
	for _, test := range []struct {
		name string
		take func(second *balancer)
		says []string
	}{
		{"listener", func(b *balancer) { b.listener = first.listener }, []string{fmt.Sprintf("cannot listen on :%d: address in use", first.listener)}},
		{"HTTP port", func(b *balancer) { b.http = first.http }, []string{"HTTP_ADDR", fmt.Sprint(first.http), "address already in use"}},
		{"directory", func(b *balancer) { b.home = first.home }, []string{first.home + "/run", "another haproxy-zk answers"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			second := newBalancer(t, nil)
			second.script("exec " + shared.haproxy.Path + ` "$@"`)
			executable := second.home + "/haproxy"
			test.take(second)
			daemon, err := rig.StartDaemon(rig.DaemonOptions{
				Binary: shared.binary, Dir: home(t),
				Args: []string{"run", "--run-dir", second.home + "/run", "--state-dir", second.home + "/state", "--http-addr", fmt.Sprintf(":%d", second.http)},
				Env:  []string{"EXEC=" + executable, fmt.Sprintf("LISTENER_PORT=%d", second.listener), fmt.Sprintf("ADMIN_PORT=%d", port(t)), s.setting()},
			})
			must(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			code, err := daemon.Wait(ctx)
			if err != nil || code != 1 {
				t.Errorf("exit code %d, %v; it said:\n%s", code, err, daemon.Output())
			}
			for _, words := range test.says {
				if !strings.Contains(daemon.Output(), words) {
					t.Errorf("it does not say %q", words)
				}
			}
			if left, err := daemon.Leftovers(); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			must(t, daemon.Close())
			more(t, load, 100)
		})
	}
	if now := pidFile(t, first); now != workers {
		t.Errorf("workers %s, before %s", now, workers)
	}
	if r := load.Stop(); r.Failures > 0 {
		t.Errorf("requests were lost:\n%s", r)
	}
	must(t, first.ready())
}

// pidFile returns the pids of a load balancer's workers.
func pidFile(t *testing.T, b *balancer) string {
	t.Helper()
	pids, err := os.ReadFile(b.home + "/run/default.pid")
	must(t, err)
	return string(pids)
}

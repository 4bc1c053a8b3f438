package deploy

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// front is a load balancer in front of haproxy-zk: an HAProxy that asks /readyz.
type front struct {
	t      *testing.T
	addr   string
	socket string
}

// frontChecks is how often the front asks; two failed checks take a load balancer out.
const frontChecks = time.Second

// never and again are lines of the front's backend, without and with retries elsewhere.
func never() []string { return []string{"retries 0"} }

func again() []string {
	return []string{"retries 3", "option redispatch 1", "retry-on conn-failure empty-response"}
}

// newFront starts a front of these load balancers. retries are lines of its backend.
func newFront(t *testing.T, retries []string, balancers ...ports) *front {
	t.Helper()
	dir := home(t)
	f := &front{t: t, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port(t))), socket: filepath.Join(dir, "sock")}
	lines := []string{
		"global", "  stats socket " + f.socket,
		"defaults", "  mode http", "  timeout connect 2s", "  timeout client 30s", "  timeout server 30s",
		"frontend public", "  bind " + f.addr, "  default_backend balancers",
		"backend balancers", "  option httpchk GET /readyz",
	}
	for _, line := range retries {
		lines = append(lines, "  "+line)
	}
	for i, b := range balancers {
		lines = append(lines, fmt.Sprintf("  server b%d 127.0.0.1:%d check port %d inter %dms fall 2 rise 1", i+1, b.listener, b.http, frontChecks.Milliseconds()))
	}
	file := filepath.Join(dir, "front.cfg")
	must(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	haproxy, err := rig.StartProgram(exec.Command(shared.haproxy.Path, "-db", "-f", file))
	must(t, err)
	t.Cleanup(func() {
		haproxy.Stop()
		if t.Failed() {
			t.Logf("the front said:\n%s", haproxy.Output())
		}
	})
	f.allUp(len(balancers))
	return f
}

// allUp waits until the checks of all load balancers have succeeded.
func (f *front) allUp(want int) {
	f.t.Helper()
	eventually(f.t, "the front uses all", func() error {
		stat, err := rig.Stats(f.socket, "show stat")
		if err != nil {
			return err
		}
		up := 0
		for line := range strings.Lines(stat) {
			// A check has been made: before the first one a server counts as up.
			if strings.HasPrefix(line, "balancers,b") && strings.Contains(line, ",UP,") && strings.Contains(line, "L7OK") {
				up++
			}
		}
		if up != want {
			return fmt.Errorf("%d of %d are up", up, want)
		}
		return nil
	})
}

func (f *front) load() *rig.Load {
	f.t.Helper()
	load, err := rig.NewLoad(rig.LoadOptions{Addr: f.addr, Targets: []rig.Target{target()}, KeepAlive: 4, Fresh: 4, MaxTime: 3 * time.Minute})
	must(f.t, err)
	load.Start(f.t.Context())
	f.t.Cleanup(func() { load.Stop() })
	return load
}

// more waits until the load has made more requests.
func more(t *testing.T, load *rig.Load, n int) {
	t.Helper()
	want := load.Result().Requests + n
	eventually(t, "more requests", func() error {
		if load.Result().Requests < want {
			return errors.New("not yet")
		}
		return nil
	})
}

// rollingRestart restarts two load balancers behind a front under load, one after the
// other, and returns what became of the requests.
func rollingRestart(t *testing.T, retries []string, env ...string) rig.Result {
	t.Helper()
	s := newServices(t)
	s.add(rig.StartApp(application))
	s.add(rig.StartApp(application))
	a, b := newBalancer(t, nil), newBalancer(t, nil)
	both := []*balancer{a, b}
	env = append(env, s.setting())
	for _, one := range both {
		one.start(env...)
	}
	f := newFront(t, retries, a.ports, b.ports)
	load := f.load()
	more(t, load, 200)
	for _, one := range both {
		one.signal(syscall.SIGTERM)
		one.exits()
		one.start(env...)
		f.allUp(len(both))
		more(t, load, 200)
	}
	return load.Stop()
}

// A front that asks /readyz has stopped sending requests to a load balancer before that
// closes its listener, if stop_delay is longer than the front needs to notice. Nothing is
// retried.
func TestFrontThatAsksReadinessLosesNothingWithStopDelay(t *testing.T) {
	t.Parallel()
	if r := rollingRestart(t, never(), "STOP_DELAY=6s"); r.Failures > 0 {
		t.Errorf("requests were lost:\n%s", r)
	}
}

// The same without stop_delay: it is what prevents the loss.
func TestFrontThatAsksReadinessLosesRequestsWithoutStopDelay(t *testing.T) {
	t.Parallel()
	r := rollingRestart(t, never())
	t.Logf("without stop_delay: %s", r)
	if r.Failures == 0 {
		t.Error("nothing was lost, so this test does not show what stop_delay is for")
	}
}

// A front that tries again on another load balancer loses nothing without stop_delay.
func TestFrontThatRetriesLosesNothingInRollingRestart(t *testing.T) {
	t.Parallel()
	if r := rollingRestart(t, again()); r.Failures > 0 {
		t.Errorf("requests were lost:\n%s", r)
	}
}

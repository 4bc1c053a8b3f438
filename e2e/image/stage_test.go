//go:build image

package image

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	listenerPort = 8080
	apiPort      = 21000
)

// stage has the networks of a test, a ZooKeeper on one of them with the name zookeeper,
// and the test's own path in it.
type stage struct {
	t        *testing.T
	image    Image
	networks []string
	registry *rig.Registry
	path     string
}

func newStage(t *testing.T, image Image) *stage {
	t.Helper()
	return &stage{t: t, image: image, networks: []string{shared.network}, registry: shared.registry, path: "/" + rig.UniqueName("path")}
}

// balancer is a container of haproxy-zk.
type balancer struct {
	*container
	s *stage
}

// balancer starts one that discovers the groups below the stage's path, and waits until
// it is ready.
func (s *stage) balancer(flags ...string) *balancer {
	s.t.Helper()
	return s.configured(append([]string{
		"--env", "ZK_ADDR=zookeeper:2181", "--env", "ZK_PATH=" + s.path + "/${group}/instances",
		"--env", "WORKERS=" + strconv.Itoa(s.image.Workers()),
	}, flags...)...)
}

// configured starts one with the settings in flags only.
func (s *stage) configured(flags ...string) *balancer {
	s.t.Helper()
	flags = append([]string{
		"--platform", "linux/" + s.image.Arch,
		"--publish", fmt.Sprintf("127.0.0.1::%d", listenerPort), "--publish", fmt.Sprintf("127.0.0.1::%d", apiPort),
	}, flags...)
	b := &balancer{s: s, container: run(s.t, rig.ContainerOptions{Image: s.image.Tag, Networks: s.networks, Flags: flags})}
	b.ready()
	return b
}

// writeConfiguration writes a config.json with these groups, the members of a JSON
// object.
func (s *stage) writeConfiguration(folder, groups string) {
	s.t.Helper()
	text := fmt.Sprintf(`{"default": {"zk.addr": "zookeeper:2181", "zk.path": "%s/${group}/instances", "socket_files": [%s], "groups": {%s}}}`,
		s.path, sockets(s.image), groups)
	if err := os.WriteFile(filepath.Join(folder, "config.json"), []byte(text), 0o644); err != nil { //nolint:gosec // the container reads it
		s.t.Fatal(err)
	}
}

func (b *balancer) ready() {
	b.s.t.Helper()
	eventually(b.s.t, "ready", func() error {
		if code, body := b.get("/readyz"); code != http.StatusOK {
			return fmt.Errorf("readyz: %d %s", code, body)
		}
		return nil
	})
}

// get requests a path of the query API; code 0 means no answer.
func (b *balancer) get(path string) (int, string) {
	addr, err := b.Published(apiPort)
	if err != nil {
		return 0, err.Error()
	}
	return rig.Get("http://" + addr + path)
}

// listener returns the listener's address on this host.
func (b *balancer) listener() string {
	b.s.t.Helper()
	addr, err := b.Published(listenerPort)
	if err != nil {
		b.s.t.Fatal(err)
	}
	return addr
}

// instances returns the instances of a group in the query API.
func (b *balancer) instances(group string) ([]string, error) {
	code, body := b.get("/default/" + group)
	var document map[string]map[string]struct{ Instances []string }
	if err := json.Unmarshal([]byte(body), &document); err != nil || code != http.StatusOK {
		return nil, fmt.Errorf("query API: %d %s %w", code, body, err)
	}
	got := append([]string{}, document["default"][group].Instances...)
	slices.Sort(got)
	return got, nil
}

// serves waits until exactly these instances serve a group: in every worker, and in the
// query API.
func (b *balancer) serves(group string, apps ...*app) {
	b.s.t.Helper()
	want := []string{}
	for _, a := range apps {
		want = append(want, a.addr)
	}
	slices.Sort(want)
	eventually(b.s.t, "group "+group, func() error {
		got, err := b.instances(group)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("query API: -want +got\n%s", diff)
		}
		pid, err := b.PID()
		if err != nil {
			return err
		}
		for n := range b.s.image.Workers() {
			servers, err := rig.ServersState(statsSocket(pid, n+1))
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, append([]string{}, rig.Serving(servers, group)...)); diff != "" {
				return fmt.Errorf("worker %d: -want +got\n%s", n+1, diff)
			}
		}
		return nil
	})
}

// statsSocket returns the stats socket of a worker, on this host.
func statsSocket(pid, worker int) string {
	return fmt.Sprintf("/proc/%d/root/run/haproxy-zk/default.%d.sock", pid, worker)
}

// busy returns nil while a worker has a request running in a group.
func (b *balancer) busy(group string) error {
	pid, err := b.PID()
	if err != nil {
		return err
	}
	for n := range b.s.image.Workers() {
		answer, err := rig.Stats(statsSocket(pid, n+1), "show stat")
		if err != nil {
			return err
		}
		for line := range strings.Lines(answer) {
			// pxname,svname,qcur,qmax,scur: the same in all versions.
			if f := strings.Split(line, ","); len(f) > 4 && f[0] == group && f[1] == "BACKEND" && f[4] != "0" {
				return nil
			}
		}
	}
	return fmt.Errorf("no request runs in %s", group)
}

// metric returns the value of one line of /metrics.
func (b *balancer) metric(line string) (string, error) {
	code, body := b.get("/metrics")
	for l := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(l, line+" "); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("/metrics: %d, no %s", code, line)
}

// load starts requests for groups.
func (b *balancer) load(groups ...string) *rig.Load {
	b.s.t.Helper()
	var targets []rig.Target
	for _, g := range groups {
		targets = append(targets, rig.Target{Path: "/" + g + "/", App: g})
	}
	load, err := rig.NewLoad(rig.LoadOptions{Addr: b.listener(), Targets: targets, KeepAlive: 4, Fresh: 4, MaxTime: 3 * time.Minute})
	if err != nil {
		b.s.t.Fatal(err)
	}
	load.Start(b.s.t.Context())
	b.s.t.Cleanup(func() { load.Stop() })
	return load
}

// lost ends a load and fails the test if a request was lost.
func (s *stage) lost(load *rig.Load) {
	s.t.Helper()
	result := load.Stop()
	if result.Failures > 0 || result.Requests == 0 {
		s.t.Errorf("requests were lost, or none was made:\n%s", result)
	}
}

// used waits until each of apps has answered a request of the load.
func (s *stage) used(load *rig.Load, apps ...*app) {
	s.t.Helper()
	eventually(s.t, "every instance is used", func() error {
		answered := load.Result().Instances
		for _, a := range apps {
			if answered[a.addr] == 0 {
				return fmt.Errorf("%s has answered nothing", a.addr)
			}
		}
		return nil
	})
}

// app is one instance of an application, in a container.
type app struct {
	*container
	addr string
}

// app starts an instance, which registers itself.
func (s *stage) app(group string) *app {
	s.t.Helper()
	c := run(s.t, rig.ContainerOptions{Image: appImage, Networks: s.networks, Flags: []string{
		"--env", "ZK_ADDR=zookeeper:2181", "--env", "APP=" + group, "--env", "ZK_PATH=" + s.path,
	}})
	a := &app{container: c}
	eventually(s.t, "the application registers", func() error {
		_, line, ok := strings.Cut(c.Logs(), "registered ")
		if !ok {
			return fmt.Errorf("it said: %s", c.Logs())
		}
		line, _, _ = strings.Cut(line, "\n")
		a.addr = path.Base(line)
		return nil
	})
	return a
}

// retire stops an instance: it unregisters, and ends when it gets no more requests.
func (s *stage) retire(a *app) {
	s.t.Helper()
	code, _, err := a.stop()
	if err != nil || code != "0" {
		s.t.Fatalf("retire %s: exit code %q, %v; it said:\n%s", a.addr, code, err, a.Logs())
	}
}

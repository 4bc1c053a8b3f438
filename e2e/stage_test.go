package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// within bounds every wait for something that takes milliseconds when all is well.
const within = 20 * time.Second

// patience is the session timeout of applications: where a server is started
// again on a busy machine, they are still registered.
const patience = 30 * time.Second

// stage is one daemon with its proxy, and an application's session in ZooKeeper.
type stage struct {
	t        *testing.T
	config   *rig.SeedConfig
	home     string
	http     string
	daemon   *rig.Daemon
	registry *rig.Registry
	binary   string
}

// onEveryHAProxy runs a test on each installed HAProxy, on several beside each
// other: they share the ZooKeeper alone, where each has a path of its own.
func onEveryHAProxy(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	for _, h := range shared.haproxies {
		t.Run(h.Name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}

// onSomeHAProxy is onEveryHAProxy for a test of a minute and more: it runs on one,
// and with E2E_LONG on every.
func onSomeHAProxy(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	haproxies := shared.haproxies
	if os.Getenv("E2E_LONG") == "" {
		haproxies = haproxies[:1]
	}
	for _, h := range haproxies {
		t.Run(h.Name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}

// inTurn is onEveryHAProxy for a test whose runs would disturb each other.
func inTurn(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	for _, h := range shared.haproxies {
		t.Run(h.Name, func(t *testing.T) { test(t, h) })
	}
}

// onEverySet runs a test of processes on each installed HAProxy with the seed's
// two workers and, where they are processes, with one; with four too by E2E_LONG.
func onEverySet(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	onEveryHAProxy(t, test)
	sizes := []int{1}
	if os.Getenv("E2E_LONG") != "" {
		sizes = append(sizes, 4)
	}
	for _, h := range shared.haproxies {
		for _, n := range sizes {
			if h.Workers = n; h.Nbproc {
				t.Run(fmt.Sprintf("%s-nbproc-%d", h.Name, n), func(t *testing.T) {
					t.Parallel()
					test(t, h)
				})
			}
		}
	}
}

// newStage prepares the seed's configuration, changed by change, in a home and
// on a ZooKeeper path of its own. Nothing is started.
func newStage(t *testing.T, h rig.HAProxy, change func(*rig.SeedConfig)) *stage {
	t.Helper()
	// Not t.TempDir: a unix socket's path has at most 97 bytes for HAProxy.
	home, err := os.MkdirTemp("", "hz-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	path := "/" + filepath.Base(home) + "/${group}/instances"
	groups := rig.SeedGroups()
	groups[1].ZKPath = path
	s := &stage{t: t, home: home, binary: shared.binary, config: &rig.SeedConfig{ZKAddr: shared.zookeeper.Addr(), HAProxy: h.Path, ZKPath: path, Groups: groups, Workers: h.Workers}}
	if change != nil {
		change(s.config)
	}
	s.http = fmt.Sprintf("127.0.0.1:%d", s.port())
	return s
}

func (s *stage) port() int {
	s.t.Helper()
	port, err := rig.FreePort()
	if err != nil {
		s.t.Fatal(err)
	}
	return port
}

// start starts the daemon; the configuration is written again.
func (s *stage) start() {
	s.t.Helper()
	file, err := s.config.Write(s.home)
	if err != nil {
		s.t.Fatal(err)
	}
	s.launch(file)
}

// launch starts the daemon with a configuration file as it is.
func (s *stage) launch(file string) {
	s.t.Helper()
	s.run("CONFIG=" + file)
}

// run starts the daemon with an environment.
func (s *stage) run(env ...string) {
	s.t.Helper()
	s.runAs(rig.DaemonOptions{Env: env})
}

// runAs starts the daemon with options, of which it fills in the others.
func (s *stage) runAs(o rig.DaemonOptions) {
	s.t.Helper()
	var err error
	o.Binary, o.Dir = s.binary, s.home
	o.Args = []string{"run", "--http-addr", s.http, "--run-dir", s.home + "/run", "--state-dir", s.home + "/state"}
	s.daemon, err = rig.StartDaemon(o)
	if err != nil {
		s.t.Fatal(err)
	}
	daemon := s.daemon
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("the daemon said:\n%s", daemon.Output())
		}
		if err := daemon.Close(); err != nil {
			s.t.Error(err)
		}
	})
}

// connect opens the applications' session.
func (s *stage) connect() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	registry, err := rig.ConnectRegistry(ctx, s.config.ZKAddr, patience)
	s.use(registry, err)
}

// use makes a session the applications'.
func (s *stage) use(registry *rig.Registry, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	s.registry = registry
	s.t.Cleanup(registry.Close)
}

// begin prepares, starts and waits until the daemon is ready.
func begin(t *testing.T, h rig.HAProxy, change func(*rig.SeedConfig)) *stage {
	t.Helper()
	s := newStage(t, h, change)
	s.connect()
	s.start()
	s.ready()
	return s
}

func (s *stage) eventually(what string, check func() error) {
	s.t.Helper()
	if err := rig.Eventually(s.t.Context(), within, check); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

func (s *stage) ready() {
	s.t.Helper()
	s.eventually("ready", func() error {
		if code, body := s.get("/readyz"); code != http.StatusOK {
			return fmt.Errorf("readyz: %d %s", code, body)
		}
		return nil
	})
}

// get asks the daemon's HTTP port; code 0 is no answer.
func (s *stage) get(path string) (int, string) {
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	response, err := client.Get("http://" + s.http + path)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// node is the ZooKeeper path of a group.
func (s *stage) node(group string) string {
	return strings.ReplaceAll(s.config.ZKPath, "${group}", group)
}

// app starts an instance and registers it.
func (s *stage) app(group string) *rig.App {
	s.t.Helper()
	app := s.unregistered(group)
	if err := app.Register(s.registry, s.node(group)); err != nil {
		s.t.Fatal(err)
	}
	return app
}

func (s *stage) unregistered(group string) *rig.App {
	s.t.Helper()
	app, err := rig.StartApp(group)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := app.Stop(); err != nil {
			s.t.Error(err)
		}
	})
	return app
}

// replace takes one instance out and puts another in, in one transaction: the
// daemon's watch fires once for both.
func (s *stage) replace(group string, old, next *rig.App) {
	s.t.Helper()
	results, err := s.registry.Conn().Multi(
		&zk.CreateRequest{Path: s.node(group) + "/" + next.Addr(), Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral},
		&zk.DeleteRequest{Path: s.node(group) + "/" + old.Addr(), Version: -1},
	)
	if err != nil {
		s.t.Fatalf("replace %s by %s: %v %v", old.Addr(), next.Addr(), results, err)
	}
}

// used returns nil once each of apps has answered a request of the load.
func used(load *rig.Load, apps []*rig.App) error {
	answered := load.Result().Instances
	for _, a := range apps {
		if answered[a.Addr()] == 0 {
			return fmt.Errorf("%s has answered nothing", a.Addr())
		}
	}
	return nil
}

// serves waits until exactly these instances serve a group: in every worker and
// in the query API.
func (s *stage) serves(group string, apps ...*rig.App) {
	s.t.Helper()
	want := addrs(apps)
	s.eventually("group "+group, func() error { return s.compare(group, want) })
}

func addrs(apps []*rig.App) []string {
	sorted := []string{}
	for _, a := range apps {
		sorted = append(sorted, a.Addr())
	}
	slices.Sort(sorted)
	return sorted
}

// compareWorkers returns nil when exactly these instances serve a group in every
// worker.
func (s *stage) compareWorkers(group string, apps ...*rig.App) error {
	return s.inWorkers(group, addrs(apps))
}

func (s *stage) inWorkers(group string, want []string) error {
	for _, socket := range s.config.Sockets() {
		servers, err := rig.ServersState(socket)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, append([]string{}, rig.Serving(servers, group)...)); diff != "" {
			return fmt.Errorf("worker behind %s: -want +got\n%s", socket, diff)
		}
	}
	return nil
}

// current returns nil when the workers behind the sockets are those that the
// daemon knows to serve: while it starts others, theirs are there already.
func (s *stage) current() error {
	condition, err := s.condition()
	if err != nil || len(condition.Generations) == 0 {
		return fmt.Errorf("no generation in /readyz: %w", err)
	}
	for _, socket := range s.config.Sockets() {
		pid, _, err := rig.Info(socket)
		if serving := condition.Generations[0].PIDs; err != nil || !slices.Contains(serving, pid) {
			return fmt.Errorf("worker %d, not one of %v, behind %s: %w", pid, serving, socket, err)
		}
	}
	return nil
}

func (s *stage) compare(group string, want []string) error {
	if err := s.current(); err != nil {
		return err
	}
	if err := s.inWorkers(group, want); err != nil {
		return err
	}
	return s.compareAnswer(group, want)
}

func (s *stage) compareAnswer(group string, want []string) error {
	code, body := s.get("/" + s.proxy() + "/" + group)
	var document map[string]map[string]struct{ Instances []string }
	if err := json.Unmarshal([]byte(body), &document); err != nil || code != http.StatusOK {
		return fmt.Errorf("query API: %d %s %w", code, body, err)
	}
	got := append([]string{}, document[s.proxy()][group].Instances...)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("query API: -want +got\n%s", diff)
	}
	return nil
}

// condition is what /readyz says of the proxy.
type condition struct {
	Problem     string
	Generations []struct {
		PIDs     []int
		Draining bool
		Since    time.Time
	}
}

func (s *stage) condition() (condition, error) {
	_, body := s.get("/readyz")
	var document struct{ Proxies map[string]condition }
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		return condition{}, fmt.Errorf("readyz: %s: %w", body, err)
	}
	return document.Proxies[s.proxy()], nil
}

func (s *stage) proxy() string {
	if s.config.Proxy == "" {
		return "ngboss"
	}
	return s.config.Proxy
}

// load starts requests for the given targets.
func (s *stage) load(targets ...rig.Target) *rig.Load {
	s.t.Helper()
	load, err := rig.NewLoad(rig.LoadOptions{Addr: s.config.Listener(), Targets: targets, KeepAlive: 6, Fresh: 4, MaxTime: 3 * time.Minute})
	if err != nil {
		s.t.Fatal(err)
	}
	load.Start(s.t.Context())
	s.t.Cleanup(func() { load.Stop() })
	return load
}

// both is an instance of each of the seed's groups, served and under load.
func (s *stage) both() (a, b *rig.App, load *rig.Load) {
	s.t.Helper()
	a, b = s.app(front), s.app(base)
	s.serves(front, a)
	s.serves(base, b)
	return a, b, s.load(through()...)
}

// lost ends a load and fails the test if a request was lost.
func (s *stage) lost(load *rig.Load) rig.Result {
	s.t.Helper()
	result := load.Stop()
	if result.Failures > 0 || result.Requests == 0 {
		s.t.Errorf("requests were lost, or none was made:\n%s", result)
	}
	return result
}

// stopped asks the daemon to stop and asserts that it does, with nothing left.
func (s *stage) stopped() {
	s.t.Helper()
	if err := s.daemon.Signal(sigterm); err != nil {
		s.t.Fatal(err)
	}
	s.exits(0)
	if left, err := s.daemon.Leftovers(); err != nil || len(left) > 0 {
		s.t.Errorf("left behind: %v, %v", left, err)
	}
}

func (s *stage) exits(want int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	code, err := s.daemon.Wait(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	if code != want {
		s.t.Errorf("exit code %d, want %d", code, want)
	}
}

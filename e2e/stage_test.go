package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
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

// within bounds every wait for something that normally takes milliseconds.
const within = 20 * time.Second

// patience is the session timeout of applications: long enough to survive a server's
// restart on a busy machine.
const patience = 30 * time.Second

// stage is one daemon with its proxy, and an application's ZooKeeper session.
type stage struct {
	t        *testing.T
	config   *rig.SeedConfig
	home     string
	http     string
	daemon   *rig.Daemon
	registry *rig.Registry
	binary   string
}

// onEveryHAProxy runs a test with each installed HAProxy, in parallel with others,
// since tests mostly wait: they only share the ZooKeeper, where each has its own path.
// Call it once per test.
func onEveryHAProxy(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	t.Parallel()
	inTurn(t, func(t *testing.T, h rig.HAProxy) {
		t.Parallel()
		test(t, h)
	})
}

// onHAProxiesThat is onEveryHAProxy for those of which has is true.
func onHAProxiesThat(t *testing.T, has func(rig.HAProxy) bool, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	t.Parallel()
	haproxies := slices.DeleteFunc(slices.Clone(shared.haproxies), func(h rig.HAProxy) bool { return !has(h) })
	onEach(t, haproxies, func(t *testing.T, h rig.HAProxy) {
		t.Parallel()
		test(t, h)
	})
}

// onSomeHAProxy is onEveryHAProxy for tests of a minute and more, and of what haproxy-zk
// does whatever its HAProxy is: with one HAProxy, and with E2E_LONG with every one.
func onSomeHAProxy(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	t.Parallel()
	someInTurn(t, func(t *testing.T, h rig.HAProxy) {
		t.Parallel()
		test(t, h)
	})
}

// someInTurn is inTurn with the HAProxies of onSomeHAProxy. Every version has its share of
// them.
func someInTurn(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	haproxies := shared.haproxies
	if os.Getenv("E2E_LONG") == "" {
		haproxies = chosen(t, haproxies)
	}
	onEach(t, haproxies, test)
}

// chosen returns the one of the HAProxies that the test's name decides on; none of none.
func chosen(t *testing.T, haproxies []rig.HAProxy) []rig.HAProxy {
	t.Helper()
	if len(haproxies) == 0 {
		return nil
	}
	name := fnv.New32a()
	_, _ = name.Write([]byte(t.Name()))
	i := int(name.Sum32() % uint32(len(haproxies)))
	return haproxies[i : i+1]
}

// inTurn is onEveryHAProxy for tests that measure durations or would disturb others:
// nothing else runs in parallel.
func inTurn(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	onEach(t, shared.haproxies, test)
}

func onEach(t *testing.T, haproxies []rig.HAProxy, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	for _, h := range haproxies {
		t.Run(h.Name, func(t *testing.T) { test(t, h) })
	}
}

// onEverySet runs a test of processes with each installed HAProxy with the seed's two
// workers and, if they are processes, with one; with E2E_LONG with four too.
func onEverySet(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	t.Parallel()
	eachSet(t, func(t *testing.T, h rig.HAProxy) {
		t.Parallel()
		test(t, h)
	})
}

// eachSet is onEverySet for tests that measure durations: nothing else runs in
// parallel.
func eachSet(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	inTurn(t, test)
	sizes := []int{1}
	if os.Getenv("E2E_LONG") != "" {
		sizes = append(sizes, 4)
	}
	for _, h := range shared.haproxies {
		for _, n := range sizes {
			if h.Workers = n; h.Nbproc {
				t.Run(fmt.Sprintf("%s-nbproc-%d", h.Name, n), func(t *testing.T) { test(t, h) })
			}
		}
	}
}

// onBothKinds is onEverySet for what haproxy-zk does whatever the version of its HAProxy is,
// but not whatever a worker is: with one HAProxy whose workers are processes and one whose
// workers are threads, and with E2E_LONG with every set.
func onBothKinds(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	t.Parallel()
	bothKindsInTurn(t, func(t *testing.T, h rig.HAProxy) {
		t.Parallel()
		test(t, h)
	})
}

// bothKindsInTurn is onBothKinds for tests that measure durations: nothing else runs in
// parallel.
func bothKindsInTurn(t *testing.T, test func(*testing.T, rig.HAProxy)) {
	t.Helper()
	if os.Getenv("E2E_LONG") != "" {
		eachSet(t, test)
		return
	}
	processes := slices.DeleteFunc(slices.Clone(shared.haproxies), func(h rig.HAProxy) bool { return !h.Nbproc })
	threads := slices.DeleteFunc(slices.Clone(shared.haproxies), func(h rig.HAProxy) bool { return h.Nbproc })
	onEach(t, slices.Concat(chosen(t, processes), chosen(t, threads)), test)
}

// newStage prepares the seed's configuration, modified by change, with its own home and
// ZooKeeper path. It starts nothing.
func newStage(t *testing.T, h rig.HAProxy, change func(*rig.SeedConfig)) *stage {
	t.Helper()
	// Not t.TempDir: HAProxy limits the path of a unix socket to 97 bytes.
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

// start writes the configuration and starts the daemon.
func (s *stage) start() {
	s.t.Helper()
	file, err := s.config.Write(s.home)
	if err != nil {
		s.t.Fatal(err)
	}
	s.launch(file)
}

// launch starts the daemon with an existing configuration file.
func (s *stage) launch(file string) {
	s.t.Helper()
	s.run("CONFIG=" + file)
}

// run starts the daemon with an environment.
func (s *stage) run(env ...string) {
	s.t.Helper()
	s.runAs(rig.DaemonOptions{Env: env})
}

// runAs starts the daemon with options, filling in the others.
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

// use makes a session that of the applications.
func (s *stage) use(registry *rig.Registry, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	s.registry = registry
	s.t.Cleanup(registry.Close)
}

// begin prepares the stage, starts the daemon and waits until it is ready.
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

// get requests a path from the daemon's HTTP port; code 0 means no answer.
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

// node returns the ZooKeeper path of a group.
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

// retire removes an instance from a group, and stops it when no worker sends it
// requests any more.
func (s *stage) retire(group string, app *rig.App) {
	s.t.Helper()
	if err := app.Retire(s.t.Context(), 100*time.Millisecond, func() error { return s.config.Left(group, app.Addr()) }); err != nil {
		s.t.Fatal(err)
	}
}

// replace replaces one instance by another in one transaction: the daemon's watch fires
// once for both.
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

// serves waits until exactly these instances serve a group: in every worker and in the
// query API.
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

// compareWorkers returns nil if exactly these instances serve a group in every worker.
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

// current returns nil if the workers behind the sockets are the serving ones according
// to the daemon: while it starts others, those may already answer.
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

// condition is the proxy's state in /readyz.
type condition struct {
	Problem string
	// Overrides of instances, by group and address.
	Agent, Operator map[string]map[string]string
	Generations     []struct {
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

// both returns an instance of each of the seed's groups, served and under load.
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

// stopped stops the daemon and asserts that nothing is left.
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

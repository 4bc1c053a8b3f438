package browser

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// within bounds every wait for something that normally takes milliseconds.
const within = 30 * time.Second

// front is the group that gets the requests.
const front = "web-ngboss"

// stage is one daemon with its proxy, and an application's ZooKeeper session.
type stage struct {
	t        *testing.T
	config   *rig.SeedConfig
	beside   []*rig.SeedConfig // further proxies
	home     string
	http     string
	binary   string
	daemon   *rig.Daemon
	registry *rig.Registry
}

// newStage prepares the seed's configuration, modified by change. It starts nothing.
func newStage(t *testing.T, change func(*rig.SeedConfig)) *stage {
	t.Helper()
	home, err := os.MkdirTemp("", "hz-") // the path of a unix socket is limited
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
	groups[0].ServerTemplate = "${group_name} 1-${max_server} 0.0.0.0:0 check inter 500 rise 1 fall 2 disabled"
	groups[1].ZKPath = path
	s := &stage{t: t, home: home, binary: shared.binary, config: &rig.SeedConfig{
		ZKAddr: shared.zookeeper.Addr(), HAProxy: shared.haproxy.Path, ZKPath: path, Groups: groups, Workers: shared.haproxy.Workers,
	}}
	if change != nil {
		change(s.config)
	}
	port, err := rig.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s.http = fmt.Sprintf("127.0.0.1:%d", port)
	if s.registry, err = rig.ConnectRegistry(t.Context(), shared.zookeeper.Addr(), within); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.registry.Close)
	return s
}

// begin prepares a stage, starts the daemon and waits until it is ready.
func begin(t *testing.T, change func(*rig.SeedConfig)) *stage {
	t.Helper()
	s := newStage(t, change)
	s.start()
	return s
}

// start starts the daemon and waits until it is ready.
func (s *stage) start(env ...string) {
	s.t.Helper()
	file, err := rig.WriteConfig(s.home, append([]*rig.SeedConfig{s.config}, s.beside...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	daemon, err := rig.StartDaemon(rig.DaemonOptions{
		Binary: s.binary, Dir: s.home, Env: append(env, "CONFIG="+file),
		Args: []string{"run", "--http-addr", s.http, "--run-dir", s.home + "/run", "--state-dir", s.home + "/state"},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.daemon = daemon
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("the daemon said:\n%s", daemon.Output())
		}
		if err := daemon.Close(); err != nil {
			s.t.Error(err)
		}
	})
	s.eventually("ready", func() error {
		if code, body := rig.Get("http://" + s.http + "/readyz"); code != http.StatusOK {
			return fmt.Errorf("readyz: %d %s", code, body)
		}
		return nil
	})
}

// end stops the daemon and waits for it.
func (s *stage) end() {
	s.t.Helper()
	if err := s.daemon.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.daemon.Wait(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) eventually(what string, check func() error) {
	s.t.Helper()
	if err := rig.Eventually(s.t.Context(), within, check); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// node returns the ZooKeeper path of a group.
func (s *stage) node(group string) string {
	return strings.ReplaceAll(s.config.ZKPath, "${group}", group)
}

// app starts an instance and registers it.
func (s *stage) app(group string) *rig.App {
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
	if err := app.Register(s.registry, s.node(group)); err != nil {
		s.t.Fatal(err)
	}
	return app
}

// load sends requests to the listener until the test ends.
func (s *stage) load() {
	s.t.Helper()
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		pace := time.NewTicker(10 * time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-done:
				return
			case <-pace.C:
			}
			if response, err := client.Get("http://" + s.config.Listener() + "/"); err == nil {
				response.Body.Close()
			}
		}
	}()
	s.t.Cleanup(func() { close(done); <-ended })
}

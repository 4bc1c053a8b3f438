package contract

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
	"github.com/haproxy-zk/haproxy-zk/files"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/sources"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

const within = 30 * time.Second

// registrar is where instances are registered, as applications and operators see it.
type registrar interface {
	register(group, name string) error
	deregister(group, name string) error
	// leave makes the source unreachable, enter reachable again.
	leave() error
	enter() error
}

// sink records the last lists.
type sink struct {
	mu         sync.Mutex
	groups     map[string]registry.Group
	discovered []string
}

func (s *sink) SetGroup(g registry.Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[g.Name] = g
}

func (s *sink) SetGroups(d registry.Discovered) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.discovered = slices.Sorted(slices.Values(d.Names))
}

// has returns nil if the last list of a group has exactly these instances.
func (s *sink) has(group string, want ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, read := s.groups[group]
	got := []string{}
	for _, i := range g.Instances {
		got = append(got, i.String())
	}
	if !read || !slices.Equal(got, want) {
		return fmt.Errorf("%s has %q, read %t; want %q", group, got, read, want)
	}
	return nil
}

func (s *sink) discovers(want ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.discovered, want) {
		return fmt.Errorf("discovered %q, want %q", s.discovered, want)
	}
	return nil
}

// Every source keeps the contract of [sources.Source].
func TestSourcesKeepTheContract(t *testing.T) {
	t.Parallel()
	t.Run("directory", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "services")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		keeps(t, directory{dir}, func(s *sink) sources.Source {
			return files.New(files.Options{
				Proxy: "p", Dir: dir, Groups: []string{"web"}, Discover: safe, Sink: s,
				Decoder: func(string) decode.Decoder { return decode.Decoder{} },
				Metrics: files.NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler),
			})
		})
	})
	t.Run("zookeeper", func(t *testing.T) {
		t.Parallel()
		server, err := rig.StartZooKeeper(t.Context(), rig.ZooKeeperOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		})
		session, err := server.Connect(t.Context(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(session.Close)
		if err := session.Ensure("/services"); err != nil {
			t.Fatal(err)
		}
		keeps(t, zookeeper{server, session}, func(s *sink) sources.Source {
			return syncer.New(syncer.Options{
				Proxy: "p", Servers: []string{server.Addr()}, SessionTimeout: 2 * time.Second, Sink: s,
				Groups:   []syncer.Group{{Name: "web", Path: "/services/web/instances"}},
				Discover: &syncer.Discovery{Parent: "/services", Path: func(group string) string { return "/services/" + group + "/instances" }},
				Metrics:  syncer.NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler),
			})
		})
	})
}

func safe(name string) bool { return !strings.Contains(name, " ") }

// keeps tells the story of a source. make returns it, not yet running.
func keeps(t *testing.T, at registrar, create func(*sink) sources.Source) {
	t.Helper()
	eventually := func(what string, check func() error) {
		t.Helper()
		if err := rig.Eventually(t.Context(), within, check); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	connected := func(s sources.Source, want bool) func() error {
		return func() error {
			if c := s.ConnectionStatus(); c.Connected != want || (c.Problem == "") != want || want && time.Since(c.Last) > within {
				return fmt.Errorf("%+v", c)
			}
			return nil
		}
	}
	run := func(s sources.Source) (end func()) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		return func() {
			t.Helper()
			began := time.Now()
			cancel()
			select {
			case err := <-ended:
				if took := time.Since(began); err != nil || took > 5*time.Second {
					t.Errorf("Run ended with %v after %v", err, took)
				}
			case <-time.After(within):
				t.Fatal("Run does not end")
			}
		}
	}
	got := &sink{groups: make(map[string]registry.Group)}
	s := create(got)
	must(connected(s, false)())
	end := run(s)

	// A group without a place is empty, and nothing is discovered yet.
	eventually("empty", func() error { return errors.Join(got.has("web"), connected(s, true)()) })
	must(at.register("web", "10.0.0.1:80"), at.register("web", "[::ffff:10.0.0.2]:80"), at.register("web", "host:80"))
	eventually("registered", func() error { return got.has("web", "10.0.0.1:80", "10.0.0.2:80") })
	eventually("found", func() error {
		for _, r := range s.Registrations() {
			if r.Group == "web" && r.Usable == 2 && len(r.Findings) > 0 && slices.ContainsFunc(r.Findings, func(f registry.Finding) bool {
				return f.Kind == registry.HostName && f.Count == 1 && f.Example == "host:80" && f.Problem != "" && f.Remedy != ""
			}) {
				return nil
			}
		}
		return fmt.Errorf("%+v", s.Registrations())
	})
	must(at.deregister("web", "10.0.0.1:80"))
	eventually("deregistered", func() error { return got.has("web", "10.0.0.2:80") })
	must(at.register("api", "10.0.0.3:80"))
	eventually("discovered", func() error { return errors.Join(got.discovers("api"), got.has("api", "10.0.0.3:80")) })

	// While it is away its lists stay; then it goes on.
	must(at.leave())
	eventually("away", connected(s, false))
	must(got.has("web", "10.0.0.2:80"), got.has("api", "10.0.0.3:80"), got.discovers("api"))
	must(at.enter())
	eventually("back", connected(s, true))
	must(at.register("web", "10.0.0.4:80"), at.deregister("api", "10.0.0.3:80"))
	eventually("it goes on", func() error { return errors.Join(got.has("web", "10.0.0.2:80", "10.0.0.4:80"), got.has("api")) })
	end()
	must(connected(s, false)())

	// It ends while it is away, too.
	must(at.leave())
	s = create(got)
	end = run(s)
	eventually("away", connected(s, false))
	end()
}

type directory struct{ dir string }

func (d directory) file(group, name string) string {
	return filepath.Join(d.dir, group, "instances", name)
}

func (d directory) register(group, name string) error {
	file := d.file(group, name)
	return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o644))
}

func (d directory) deregister(group, name string) error { return os.Remove(d.file(group, name)) }

func (d directory) leave() error { return os.Rename(d.dir, d.dir+".away") }

func (d directory) enter() error { return os.Rename(d.dir+".away", d.dir) }

type zookeeper struct {
	server  *rig.ZooKeeper
	session *rig.Registry
}

func (z zookeeper) register(group, name string) error {
	return z.session.Register("/services/"+group+"/instances", name)
}

func (z zookeeper) deregister(group, name string) error {
	return z.session.Unregister("/services/"+group+"/instances", name)
}

func (z zookeeper) leave() error { return z.server.Stop() }

func (z zookeeper) enter() error { return z.server.Start(context.Background()) }

package hactl

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

var v20, v26 = haproxy.Version{Major: 2, Minor: 0, Full: "2.0.35"}, haproxy.Version{Major: 2, Minor: 6, Full: "2.6.12"}

// upgrades are the executables that a story's launches find, one after another.
type upgrades struct {
	story   *story
	version atomic.Pointer[haproxy.Version] // nil if there is none
}

// upgrading sets up a replaceable executable, and groups that depend on its version.
func upgrading(tb testing.TB) (*story, *upgrades) {
	tb.Helper()
	s := newStory(tb, backendOf("web", 2))
	template, err := haproxy.ParseTemplate("global\n    maxconn 100\n    nbproc $nbproc\n$sockets\ndefaults\n    mode http\nfrontend public\n    bind :80\n$acl\n$use_backend\n$backend\n")
	if err != nil {
		tb.Fatal(err)
	}
	u := &upgrades{story: s}
	s.with(func(o *Options) {
		o.Template, o.Frame.Version.Full = template, "2.2.9"
		layout := u.layout(o.Frame)
		o.Discover, o.Current = layout.Discover, layout.Current
	})
	u.install(s.options.Frame.Version)
	return s, u
}

func (u *upgrades) layout(f haproxy.Frame) Layout {
	made := func(name string) haproxy.Backend { return backendOf(name, 2) }
	return Layout{
		Template: u.story.options.Template, Frame: f, Backends: []haproxy.Backend{made("web")},
		Discover: func(name string) (haproxy.Backend, error) { return made(name), nil },
		Current: func(context.Context) (Layout, error) {
			v := u.version.Load()
			if v == nil {
				return Layout{}, errors.New("no such file or directory")
			}
			next := f
			next.Version = *v
			return u.layout(next), nil
		},
	}
}

// shows returns the numbers of processes, threads, and groups whose kept clients renew
// their connections in a launch's configuration.
func shows(config []byte) []int {
	count := func(text string) int { return strings.Count(string(config), text) }
	return []int{count("nbproc 2"), count("nbthread 2"), count("http-reuse never")}
}

func (u *upgrades) install(v haproxy.Version) { u.version.Store(&v) }

func TestLaunchRendersForVersionOfExecutable(t *testing.T) {
	t.Parallel()
	s, u := upgrading(t)
	s.set("web", 1)
	s.SetGroups(registry.Discovered{Names: []string{"api"}})
	s.set("api", 9)
	s.serve(t)
	for _, tt := range []struct {
		what    string
		version haproxy.Version
		launch  func()
		want    []int
	}{
		{"an upgrade, and a worker dies", v26, func() { s.ha.kill(0) }, []int{0, 1, 0}},
		{"a downgrade, and an operator reloads", v20, func() { s.Reload("signal") }, []int{1, 0, 2}},
		{"an upgrade, and a group grows", v26, func() { s.set("web", 1, 2, 3) }, []int{0, 1, 0}},
	} {
		u.install(tt.version)
		tt.launch()
		becomes(t, tt.what, tt.want, func() []int { return shows(s.ha.lastConfig()) })
		s.serves(t, tt.what, "api", 9, 0)
	}
	s.serves(t, "all serve", "web", 1, 2, 3, 0)
}

func TestMissingExecutableLeavesGenerationRunning(t *testing.T) {
	t.Parallel()
	s, u := upgrading(t)
	s.SetGroups(registry.Discovered{})
	s.set("web", 1)
	s.serve(t)
	u.version.Store(nil)
	s.Reload("signal")
	becomes(t, "the problem", "the last reload (signal) did not succeed: no such file or directory", func() string { return s.Snapshot().ReloadError })
	if err := s.Ready(); err != nil {
		t.Errorf("the generation before serves: %v", err)
	}
	s.set("web", 1, 2)
	s.serves(t, "instances change", "web", 1, 2)
	u.install(v26)
	becomes(t, "launches", []string{"start", "signal"}, s.ha.causes)
	becomes(t, "the last one", []int{0, 1, 0}, func() []int { return shows(s.ha.lastConfig()) })
	s.serves(t, "instances", "web", 1, 2)
}

func TestReloadErrorNamesBothVersions(t *testing.T) {
	t.Parallel()
	s, u := upgrading(t)
	var said strings.Builder
	s.with(func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
	s.SetGroups(registry.Discovered{})
	s.set("web", 1)
	s.launch(t)
	u.install(v26)
	s.ha.fail = errors.New("unknown keyword")
	for range 3 {
		err := s.replaceGeneration(t.Context(), "signal")
		if err == nil || !strings.Contains(err.Error(), "has changed from 2.2.9 to 2.6.12: ") || !strings.HasSuffix(err.Error(), "unknown keyword") {
			t.Errorf("reload: %v", err)
		}
	}
	same(t, "launches for the new version", []int{0, 1, 0}, shows(s.ha.lastConfig()))
	if n := strings.Count(said.String(), "rendering for the new version"); n != 1 {
		t.Errorf("the change was logged %d times", n)
	}
	s.ha.fail = nil
	if err := s.replaceGeneration(t.Context(), "signal"); err != nil || s.fleet.runningVersion != v26 {
		t.Errorf("runs %v: %v", s.fleet.runningVersion, err)
	}
}

func TestInstanceLeavingDuringVersionQueryLeavesServingGeneration(t *testing.T) {
	t.Parallel()
	s, _ := upgrading(t)
	current := s.options.Current
	asked, answer := make(chan struct{}), make(chan struct{})
	first := true
	s.with(func(o *Options) {
		o.Current = func(ctx context.Context) (Layout, error) {
			if first {
				first = false
				return current(ctx)
			}
			close(asked)
			<-answer
			return current(ctx)
		}
	})
	s.SetGroups(registry.Discovered{})
	s.set("web", 1, 2)
	s.serve(t)
	s.Reload("signal")
	awaited(t, "the version is queried", asked)
	s.set("web", 1)
	s.serves(t, "2 leaves", "web", 1, 0)
	close(answer)
	becomes(t, "launches", []string{"start", "signal"}, s.ha.causes)
	s.serves(t, "after the reload", "web", 1, 0)
	s.endsWith(t, "start", "signal")
}

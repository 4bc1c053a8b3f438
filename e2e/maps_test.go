package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	mapDrift = "haproxyzk_map_drift_repaired_total"
	// On a busy machine workers are read every 30 s only.
	resyncs = 70 * time.Second
)

// mapFile returns the file of a map.
func (s *stage) mapFile(route string) string { return s.config.ConfFile() + "." + route + ".map" }

// entries returns the sorted entries of a map in one worker.
func entries(socket, file string) ([]string, error) {
	reply, err := rig.Stats(socket, "show map "+file)
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(strings.TrimSpace(reply)) {
		_, entry, _ := strings.Cut(strings.TrimSpace(line), " ")
		all = append(all, entry)
	}
	slices.Sort(all)
	return all, nil
}

// maps waits until the file of a map and every worker have exactly these entries.
func (s *stage) maps(route string, want ...string) {
	s.t.Helper()
	slices.Sort(want)
	err := rig.Eventually(s.t.Context(), resyncs, func() error {
		if err := s.current(); err != nil {
			return err
		}
		text, err := os.ReadFile(s.mapFile(route))
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, slices.Sorted(strings.SplitSeq(strings.TrimSpace(string(text)), "\n"))); diff != "" {
			return fmt.Errorf("file: -want +got\n%s", diff)
		}
		for _, socket := range s.config.Sockets() {
			got, err := entries(socket, s.mapFile(route))
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, got); diff != "" {
				return fmt.Errorf("worker behind %s: -want +got\n%s", socket, diff)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatalf("the map: %v", err)
	}
}

// socketOfEach returns a socket of each process.
func (s *stage) socketOfEach() (sockets []string) {
	s.t.Helper()
	seen := make(map[int]bool)
	for _, socket := range s.config.Sockets() {
		pid, _, err := rig.Info(socket)
		if err != nil {
			s.t.Fatal(err)
		}
		if !seen[pid] {
			sockets = append(sockets, socket)
		}
		seen[pid] = true
	}
	return sockets
}

// tell sends commands to the worker behind a socket.
func (s *stage) tell(socket string, commands ...string) {
	s.t.Helper()
	reply, err := rig.Stats(socket, strings.Join(commands, ";"))
	if err != nil || strings.TrimSpace(reply) != "" {
		s.t.Fatalf("%v: %q, %v", commands, reply, err)
	}
}

// fresh is load without clients that keep their connections, which a busy machine may
// keep idle for too long.
func (s *stage) fresh(targets ...rig.Target) *rig.Load {
	s.t.Helper()
	load, err := rig.NewLoad(rig.LoadOptions{Addr: s.config.Listener(), Targets: targets, Fresh: 6, MaxTime: 3 * time.Minute})
	if err != nil {
		s.t.Fatal(err)
	}
	load.Start(s.t.Context())
	s.t.Cleanup(func() { load.Stop() })
	return load
}

// wrote returns nil if the daemon has written text.
func (s *stage) wrote(text string) error {
	if !strings.Contains(s.daemon.Output(), text) {
		return fmt.Errorf("it has not written %q", text)
	}
	return nil
}

// routing starts a stage with the default backend and these discovered groups, whose
// requests are answered.
func routing(t *testing.T, h rig.HAProxy, groups ...string) *stage {
	t.Helper()
	s := newStage(t, h, discovering)
	s.connect()
	for _, group := range append([]string{front}, groups...) {
		s.app(group)
	}
	s.start()
	s.ready()
	for _, group := range groups {
		s.eventually(group, func() error { return s.routes(request{target: "/" + group + "/x"}, group) })
	}
	return s
}

// Foreign, changed, doubled and deleted entries are repaired in every worker, and
// requests of the entries that are right notice nothing.
func TestMapChangedThroughSocketIsRepaired(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := routing(t, h, "api", "kept", "web")
		s.settled()
		load := s.fresh(rig.Target{Path: "/", App: front}, rig.Target{Path: "/kept/x", App: "kept"})
		file := s.mapFile("path")
		changes := [][]string{
			{"add map " + file + " /foreign/ nowhere", "add map " + file + " /kept/x/y/z/ nowhere"},
			{"set map " + file + " /api/ web"},
			{"add map " + file + " /web/ api", "add map " + file + " /web/ web"},
			{"del map " + file + " /web/"},
			{"clear map " + file},
		}
		for _, change := range changes {
			if strings.HasPrefix(change[0], "clear") {
				s.lost(load)
			}
			before := s.metric(mapDrift)
			for _, socket := range s.socketOfEach() {
				s.tell(socket, change...)
			}
			s.maps("path", "/api/ api", "/kept/ kept", "/web/ web")
			if after := s.metric(mapDrift); after <= before {
				t.Errorf("%v: %s stays %v", change, mapDrift, after)
			}
		}
		s.says("map of HAProxy was changed outside haproxy-zk, repaired it")
		for _, group := range []string{"api", "kept", "web"} {
			if err := s.routes(request{target: "/" + group + "/x"}, group); err != nil {
				t.Error(err)
			}
		}
		if err := s.routes(request{target: "/foreign/"}, front); err != nil {
			t.Error(err)
		}
		s.stopped()
	})
}

// More entries than are read are replaced with the generation: a minute after the last
// one, so it runs once, and on every HAProxy with E2E_LONG.
func TestOversizedMapIsReplacedByReload(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := routing(t, h, "web")
		s.settled()
		load := s.fresh(rig.Target{Path: "/", App: front}, rig.Target{Path: "/web/x", App: "web"})
		before := s.pids()
		s.signal(syscall.SIGSTOP) // it would repair the map several times meanwhile
		long := strings.Repeat("x", 1000)
		for n := 0; n < 1200; n += 5 {
			var commands []string
			for i := range 5 {
				commands = append(commands, fmt.Sprintf("add map %s /%d/%s/ nowhere", s.mapFile("path"), n+i, long))
			}
			s.tell(s.config.Sockets()[0], commands...)
		}
		s.signal(syscall.SIGCONT)
		if err := rig.Eventually(t.Context(), resyncs, func() error { return s.wrote("cannot repair a map of HAProxy") }); err != nil {
			t.Fatal(err)
		}
		err := rig.Eventually(t.Context(), 90*time.Second, func() error { return s.counts(1, "haproxyzk_reloads_total", `cause="maps"`, `result="ok"`) })
		if err != nil {
			t.Fatal(err)
		}
		s.renewed(before)
		s.maps("path", "/web/ web")
		s.lost(load)
		s.stopped()
	})
}

// The file is HAProxy's only when it starts.
func TestMapFileIsRewrittenAtReload(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := routing(t, h, "api", "web")
		s.settled()
		load := s.fresh(rig.Target{Path: "/api/x", App: "api"}, rig.Target{Path: "/web/x", App: "web"})
		for what, change := range map[string]func(string) error{
			"edited":  func(file string) error { return os.WriteFile(file, []byte("/web/ api\n/x/ nowhere\n"), 0o600) },
			"deleted": os.Remove,
			"a link": func(file string) error {
				return errors.Join(os.Remove(file), os.Symlink("/dev/zero", file))
			},
		} {
			if err := change(s.mapFile("path")); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			before := s.pids()
			s.signal(syscall.SIGUSR2)
			s.renewed(before)
			s.maps("path", "/api/ api", "/web/ web")
		}
		s.lost(load)

		if err := os.Remove(s.mapFile("path")); err != nil {
			t.Fatal(err)
		}
		before := s.pids()
		if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.renewed(before)
		s.maps("path", "/api/ api", "/web/ web")
		s.stopped()
	})
}

// A worker that dies while its map is changed leaves nothing behind.
func TestWorkerDiesWhileItsMapIsRepaired(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := routing(t, h, "api", "web")
		for round := range 4 {
			before := s.pids()
			repaired := s.metric(mapDrift)
			for _, socket := range s.socketOfEach() {
				s.tell(socket, "add map "+s.mapFile("path")+" /foreign/ nowhere", "del map "+s.mapFile("path")+" /web/")
			}
			if round%2 == 1 { // while it is repaired, instead of before
				err := rig.Eventually(t.Context(), resyncs, func() error {
					if s.metric(mapDrift) > repaired {
						return nil
					}
					return errors.New("no repair yet")
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := syscall.Kill(before[len(before)-1], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			s.renewed(before)
			s.maps("path", "/api/ api", "/web/ web")
			s.eventually("web", func() error { return s.routes(request{target: "/web/x"}, "web") })
		}
		s.stopped()
	})
}

// A group that HAProxy rejects is in no map: its requests go where they went before.
func TestRejectedGroupIsInNoMap(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		pages := t.TempDir()
		if err := os.WriteFile(filepath.Join(pages, "web"), []byte("HTTP/1.0 503 Sorry\r\n\r\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		s := begin(t, h, func(c *rig.SeedConfig) {
			discovering(c)
			c.Groups[1].Extra = map[string]any{"lines": []string{"errorfile 503 " + pages + "/${group}"}}
		})
		s.app(front)
		s.app("web")
		s.eventually("web", func() error { return s.routes(request{target: "/web/x"}, "web") })
		s.settled()
		load := s.fresh(rig.Target{Path: "/web/x", App: "web"}, rig.Target{Path: "/bad/x", App: front})
		s.app("bad")
		s.says("HAProxy rejected discovered groups")
		s.maps("path", "/web/ web")
		s.lost(load)
		s.stopped()
	})
}

// A reload that fails leaves the maps of the running generation in their files.
func TestFailedReloadKeepsMaps(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := routing(t, h, "web")
		s.settled()
		load := s.fresh(rig.Target{Path: "/web/x", App: "web"}, rig.Target{Path: "/api/x", App: front})
		// The script stays: a shell that has just been started would read what replaces it.
		executable, fails := filepath.Join(s.home, "sbin", "haproxy"), filepath.Join(s.home, "fails")
		script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *\" -x \"*) test -e %s && exit 1;; esac\nexec %s \"$@\"\n", fails, h.Path)
		err := errors.Join(os.WriteFile(fails, nil, 0o600), os.WriteFile(executable+".new", []byte(script), 0o755), os.Rename(executable+".new", executable))
		if err != nil {
			t.Fatal(err)
		}
		s.app("api")
		s.says("reload failed, running generation unchanged, will retry")
		// Each attempt has another map for a moment.
		s.maps("path", "/web/ web")
		s.lost(load)

		if err := os.Remove(fails); err != nil {
			t.Fatal(err)
		}
		err = rig.Eventually(t.Context(), resyncs, func() error { return s.routes(request{target: "/api/x"}, "api") })
		if err != nil {
			t.Fatal(err)
		}
		s.maps("path", "/api/ api", "/web/ web")
		s.stopped()
	})
}

// After a crash the next daemon adopts HAProxy, whose maps and their files may have been
// changed meanwhile.
func TestMapsAreRepairedAfterTakeover(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := routing(t, h, "api", "web")
		s.settled()
		load := s.fresh(rig.Target{Path: "/api/x", App: "api"}, rig.Target{Path: "/web/x", App: "web"})
		before := s.pids()
		s.daemon.Kill()
		if err := os.WriteFile(s.mapFile("path"), []byte("/x/ nowhere\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, socket := range s.socketOfEach() {
			s.tell(socket, "add map "+s.mapFile("path")+" /foreign/ nowhere")
		}
		s.start()
		s.ready()
		s.maps("path", "/api/ api", "/web/ web")
		if after := s.pids(); !slices.Equal(before, after) {
			t.Errorf("workers %v were replaced by %v", before, after)
		}
		s.lost(load)
		s.stopped()
	})
}

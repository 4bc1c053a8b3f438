package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// accessing begins a stage with a built-in template and a group of HTTP and one of TCP,
// and returns who asks each.
func accessing(t *testing.T, h rig.HAProxy, env ...string) (s *stage, overHTTP, overTCP *asker) {
	t.Helper()
	s = newStage(t, h, nil)
	listener, redis := s.port(), s.port()
	text, err := json.Marshal(map[string]any{s.proxy(): map[string]any{
		"zk.addr": s.config.ZKAddr, "zk.path": s.config.ZKPath, "exec": h.Path, "listener_port": listener, "admin_port": s.port(),
		"groups": map[string]any{
			front:   map[string]any{"default_backend": true, "httpchk": "GET /probe.jsp"},
			"redis": map[string]any{"mode": "tcp", "listener_port": redis},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.home, "config.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.connect()
	s.run(append(env, "CONFIG="+file)...)
	s.ready()
	return s, newAsker(listener), newAsker(redis)
}

// Every request is one line of the file with the address of its instance, over a rotation
// by renaming and SIGHUP, and none is in the log.
func TestAccessLogNamesInstancesAndIsRotated(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		folder := t.TempDir()
		path := filepath.Join(folder, "access.log")
		s, overHTTP, overTCP := accessing(t, h, "ACCESS_LOG="+path)
		a, redis := s.app(front), s.app("redis")
		for _, group := range []string{front, "redis"} {
			s.eventually(group, func() error { return s.counts(1, "haproxyzk_instances_up", fmt.Sprintf("group=%q", group)) })
		}
		ask := func() {
			t.Helper()
			for range 5 {
				if err := errors.Join(overHTTP.ask("/asked"), overTCP.ask("/")); err != nil {
					t.Fatal(err)
				}
			}
		}
		written := func(want float64, files ...string) {
			t.Helper()
			s.eventually(fmt.Sprintf("%v lines", want), func() error {
				var text []byte
				for _, file := range files {
					more, err := os.ReadFile(file)
					if err != nil {
						return err
					}
					text = append(text, more...)
				}
				http := strings.Count(string(text), fmt.Sprintf("@%s ", a.Addr()))
				tcp := strings.Count(string(text), fmt.Sprintf("@%s ", redis.Addr()))
				if float64(http) != want || float64(tcp) != want || strings.Count(string(text), "\n") != http+tcp {
					return fmt.Errorf("%d and %d:\n%s", http, tcp, text)
				}
				return nil
			})
		}
		ask()
		written(5, path)
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		ask()
		written(10, path+".1")
		s.signal(syscall.SIGHUP)
		s.eventually("a new file", func() error { _, err := os.Stat(path); return err })
		ask()
		written(5, path)
		written(15, path, path+".1")
		text, err := os.ReadFile(path)
		if line := strings.Fields(string(text)); err != nil || len(line) < 9 || line[3] != s.proxy() || !strings.HasPrefix(line[4], "haproxy[") {
			t.Errorf("%q, %v", line, err)
		}
		if output := s.daemon.Output(); strings.Contains(output, "/asked") || strings.Contains(output, "access log") {
			t.Errorf("the log has it:\n%s", output)
		}
		if err := s.counts(0, "haproxyzk_access_log_lines_lost_total"); err != nil {
			t.Error(err)
		}
		s.stopped()
	})
}

// Without a setting the lines are in the log, apart from what HAProxy says of itself,
// which keeps its level; they never have a higher level than info.
func TestAccessLinesHideNoOutage(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, overHTTP, _ := accessing(t, h)
		a := s.app(front)
		s.eventually("it is up", func() error { return s.counts(1, "haproxyzk_instances_up", fmt.Sprintf("group=%q", front)) })
		if err := overHTTP.ask("/asked"); err != nil {
			t.Fatal(err)
		}
		a.SetHealthy(false)
		s.eventually("HAProxy's line of the outage, and a failed request", func() error {
			_ = overHTTP.ask("/failing")
			var outage, failing bool
			for line := range strings.Lines(s.daemon.Output()) {
				var l struct{ Level, Component, Line string }
				if json.Unmarshal([]byte(line), &l) != nil {
					continue
				}
				outage = outage || strings.Contains(l.Line, "has no server available") && l.Level == "ERROR" && l.Component == "haproxy"
				failing = failing || strings.Contains(l.Line, "/failing") && strings.Contains(l.Line, " 503 ")
				if asked := strings.Contains(l.Line, "/asked") || strings.Contains(l.Line, "/failing"); asked && (l.Level != "INFO" || l.Component != "access") {
					t.Fatalf("%s", line)
				}
			}
			if !outage || !failing {
				return fmt.Errorf("outage %v, request %v", outage, failing)
			}
			return nil
		})
		s.stopped()
	})
}

// A full disk loses lines, which are counted, and nothing else; afterwards they are
// written again.
func TestDiskOfTheAccessLogIsFull(t *testing.T) {
	needs.Namespaces(t)
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		folder := filepath.Join(t.TempDir(), "disk")
		disk, err := rig.MountDisk(folder)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := disk.Close(); err != nil {
				t.Error(err)
			}
		})
		path := filepath.Join(folder, "access.log")
		s, overHTTP, _ := accessing(t, h, "ACCESS_LOG="+path)
		s.app(front)
		s.eventually("it is up", func() error { return s.counts(1, "haproxyzk_instances_up", fmt.Sprintf("group=%q", front)) })
		if err := disk.Fill(); err != nil {
			t.Fatal(err)
		}
		long := "/" + strings.Repeat("x", 700)
		s.eventually("lines are lost", func() error {
			for range 20 {
				if err := overHTTP.ask(long); err != nil {
					t.Fatal(err)
				}
			}
			if n := s.metric("haproxyzk_access_log_lines_lost_total"); n == 0 {
				return errors.New("none is counted")
			}
			return nil
		})
		s.once("cannot write the access log", fullDisk)
		if err := disk.Free(); err != nil {
			t.Fatal(err)
		}
		s.eventually("a line is written", func() error {
			if err := overHTTP.ask("/again"); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err == nil && !strings.Contains(string(text), "/again") {
				err = errors.New("no line")
			}
			return err
		})
		s.once("access log is written again")
		s.stopped()
	})
}

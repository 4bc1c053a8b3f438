package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// The built-in templates cause no warning, neither in check nor while HAProxy runs and
// reloads.
func TestBuiltInTemplatesDrawNoWarning(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		for _, tt := range []struct {
			name   string
			groups map[string]any
		}{
			{"http and tcp", map[string]any{
				front:   map[string]any{"default_backend": true, "httpchk": "GET /probe.jsp HTTP/1.1\\r\\nHost:\\ www.example.com"},
				"redis": map[string]any{"mode": "tcp", "listener_port": freePort(t)},
			}},
			{"tcp", map[string]any{front: map[string]any{"mode": "tcp", "default_backend": true}}},
		} {
			t.Run(tt.name, func(t *testing.T) { drawsNoWarning(t, h, tt.groups) })
		}
	})
}

// drawsNoWarning checks, starts and reloads the built-in template of some groups.
func drawsNoWarning(t *testing.T, h rig.HAProxy, groups map[string]any) {
	t.Helper()
	s := newStage(t, h, nil)
	config := map[string]any{s.proxy(): map[string]any{
		"zk.addr": s.config.ZKAddr, "zk.path": s.config.ZKPath, "exec": h.Path, "listener_port": freePort(t), "admin_port": freePort(t),
		"groups": groups,
	}}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.home, "config.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.check(file, "--strict"); got.code != 0 {
		t.Errorf("check --strict: %+v", got)
	}
	s.connect()
	s.launch(file)
	s.ready()
	a := s.app(front)
	s.eventually("instance", func() error { return s.compareAnswer(front, []string{a.Addr()}) })
	for range 2 {
		s.signal(syscall.SIGHUP)
		s.reload()
	}
	for line := range strings.Lines(s.daemon.Output()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) != nil || fields["level"] != "INFO" && fields["component"] != "haproxy" {
			t.Errorf("it says: %s", line)
		}
	}
	s.stopped()
}

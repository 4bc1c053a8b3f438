package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func TestStartupErrorsNameTheReason(t *testing.T) {
	t.Parallel()
	occupied, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { occupied.Close() }) // the runs on each HAProxy outlive this function
	port := occupied.Addr().(*net.TCPAddr).Port

	for _, test := range []struct {
		name   string
		change func(*rig.SeedConfig)
		after  func(t *testing.T, s *stage) // the files are written
		exit   int
		says   []string
	}{
		{
			name:  "the template is missing",
			after: func(t *testing.T, s *stage) { removeFile(t, s.config.TemplateFile()) },
			exit:  2, says: []string{"ngboss.template", "conf.template: no such file"},
		},
		{
			name:   "the template lacks $backend",
			change: func(c *rig.SeedConfig) { c.Template = strings.Replace(rig.SeedTemplate, "\n$backend\n", "\n", 1) },
			exit:   2, says: []string{"ngboss.template", "$backend is missing"},
		},
		{
			name: "a server-template that cannot be understood",
			change: func(c *rig.SeedConfig) {
				c.Groups[1].ServerTemplate = "${group_name} one-to-many ${ip_port} check"
			},
			exit: 2, says: []string{"ngboss.groups.web-basecentre.server-template", "one-to-many"},
		},
		{
			name:   "HAProxy is missing",
			change: func(c *rig.SeedConfig) { c.Extra = map[string]any{"exec": "/nowhere/haproxy"} },
			exit:   2, says: []string{"ngboss.exec", "/nowhere/haproxy"},
		},
		{
			name:   "another program than HAProxy",
			change: func(c *rig.SeedConfig) { c.Extra = map[string]any{"exec": "/bin/echo"} },
			exit:   2, says: []string{"ngboss.exec", "is not HAProxy"},
		},
		{
			name: "HAProxy refuses the rendered file",
			change: func(c *rig.SeedConfig) {
				c.Template = strings.Replace(rig.SeedTemplate, "option          httplog", "option          httpblog", 1)
			},
			exit: 2, says: []string{"refuses the configuration", "unknown option 'httpblog'", ".conf.new:"},
		},
		{
			name: "a name in the template does not resolve",
			change: func(c *rig.SeedConfig) {
				c.Template = rig.SeedTemplate + "\nbackend elsewhere\n    server s nowhere.invalid:80\n"
			},
			exit: 1, says: []string{"could not resolve address"},
		},
		{
			name:   "a port is in use",
			change: func(c *rig.SeedConfig) { c.ListenerPort = port },
			exit:   1, says: []string{"cannot listen on", strconv.Itoa(port) + ": address in use"},
		},
		{
			name: "the configuration is not JSON",
			after: func(t *testing.T, s *stage) {
				if err := os.WriteFile(filepath.Join(s.home, "etc", "web.config.json"), []byte("{\n  \"ngboss\": {,}\n}"), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			exit: 2, says: []string{"web.config.json:2"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
				s := newStage(t, h, test.change)
				file, err := s.config.Write(s.home)
				if err != nil {
					t.Fatal(err)
				}
				if test.after != nil {
					test.after(t, s)
				}
				s.launch(file)
				s.exits(test.exit)
				for _, words := range test.says {
					if !strings.Contains(s.daemon.Output(), words) {
						t.Errorf("it does not say %q:\n%s", words, s.daemon.Output())
					}
				}
				if left, err := s.daemon.Leftovers(); err != nil || len(left) > 0 {
					t.Errorf("left behind: %v, %v", left, err)
				}
			})
		})
	}
}

func removeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestHTTPAddressInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newStage(t, shared.haproxies[0], nil)
	s.http = l.Addr().String()
	s.start()
	s.exits(1)
	if !strings.Contains(s.daemon.Output(), s.http) {
		t.Errorf("it does not name %s:\n%s", s.http, s.daemon.Output())
	}
}

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// completeProxies are those of the seed's complete example: two proxies of ten groups,
// nine of which are the same applications.
var completeProxies = []struct {
	name, front   string
	listen, admin string
}{
	{"ngboss", "web-ngboss", "8080", "20001"},
	{"ecbusi", "web-ecgateway", "8081", "20002"},
}

func behindACLs() []string {
	return []string{
		"basecentre", "cpmcentre", "csfproxy", "customercentre", "invoicecentre",
		"iupc", "ordercentre", "resourcecentre", "treasury",
	}
}

func TestCompleteExampleOfTheSeed(t *testing.T) {
	t.Parallel()
	inTurn(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.config.ZKPath = "/wade-web/${group}/instances" // as in the file
		file, listeners := s.completeExample(h)
		s.connect()
		apps := make(map[string]*rig.App)
		for _, p := range completeProxies {
			apps[p.front] = s.app(p.front)
		}
		for _, name := range behindACLs() {
			apps["web-"+name] = s.app("web-" + name)
		}
		s.launch(file)
		s.ready()

		var want []string
		for _, p := range completeProxies {
			groups := []string{p.front}
			for _, name := range behindACLs() {
				groups = append(groups, "web-"+name)
			}
			var documents []string
			for _, group := range groups {
				documents = append(documents, fmt.Sprintf(`%q:{"instances":[%q]}`, group, apps[group].Addr()))
			}
			want = append(want, fmt.Sprintf(`%q:{%s}`, p.name, strings.Join(documents, ",")))
		}
		document := "{" + strings.Join(want, ",") + "}"
		s.eventually("all twenty groups, in order", func() error {
			if code, body := s.get("/"); code != http.StatusOK || strings.TrimSpace(body) != document {
				return fmt.Errorf("%d %s\nwant %s", code, body, document)
			}
			return nil
		})

		for i, p := range completeProxies {
			targets := []rig.Target{{Path: "/", App: p.front}, {Path: "/other", App: p.front}}
			for _, name := range behindACLs() {
				targets = append(targets, rig.Target{Path: "/" + name, App: "web-" + name}, rig.Target{Path: "/" + strings.ToUpper(name) + "/x", App: "web-" + name})
			}
			requests := 2 * len(targets)
			s.eventually(p.name+" serves", func() error {
				load, err := rig.NewLoad(rig.LoadOptions{Addr: listeners[i], Targets: targets, Fresh: 1, Rate: 1000, MaxRequests: requests})
				if err != nil {
					t.Fatal(err)
				}
				load.Start(t.Context())
				if err := rig.Eventually(t.Context(), within, func() error {
					if got := load.Result(); !got.Exhausted {
						return fmt.Errorf("%d requests", got.Requests)
					}
					return nil
				}); err != nil {
					load.Stop()
					return err
				}
				if got := load.Stop(); got.Failures > 0 || len(got.Instances) != 10 {
					return fmt.Errorf("%d of ten applications answered\n%s", len(got.Instances), got)
				}
				return nil
			})
		}
		s.stopped()
	})
}

// completeExample writes the file to the stage's home, changing only ZooKeeper's
// address and the ports, and returns its path and the two listeners.
func (s *stage) completeExample(h rig.HAProxy) (file string, listeners []string) {
	s.t.Helper()
	const seed = "../config/testdata/seed/"
	read := func(name string) string {
		text, err := os.ReadFile(seed + name)
		if err != nil {
			s.t.Fatal(err)
		}
		return string(text)
	}
	replacements := []string{"10.238.99.212:21810", s.config.ZKAddr}
	for _, p := range completeProxies {
		listener, admin := s.port(), s.port()
		replacements = append(replacements,
			`"listener_port": `+p.listen, fmt.Sprintf(`"listener_port": %d`, listener),
			`"admin_port": `+p.admin, fmt.Sprintf(`"admin_port": %d`, admin))
		listeners = append(listeners, fmt.Sprintf("127.0.0.1:%d", listener))
	}
	text := strings.NewReplacer(replacements...).Replace(read("complete.config.json"))
	var proxies map[string]struct {
		Listener int `json:"listener_port"`
	}
	if err := json.Unmarshal([]byte(text), &proxies); err != nil || len(proxies) != 2 {
		s.t.Fatalf("%d proxies: %v", len(proxies), err)
	}
	for i, p := range completeProxies {
		if !strings.HasSuffix(listeners[i], fmt.Sprintf(":%d", proxies[p.name].Listener)) {
			s.t.Fatalf("%s listens on %d, want %s", p.name, proxies[p.name].Listener, listeners[i])
		}
	}
	file = filepath.Join(s.home, "etc", "web.config.json")
	for _, dir := range []string{"sbin", "etc", "logs"} {
		if err := os.Mkdir(filepath.Join(s.home, dir), 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := os.Symlink(h.Path, filepath.Join(s.home, "sbin", "haproxy")); err != nil {
		s.t.Fatal(err)
	}
	template := "haproxy.web.conf.template"
	for path, text := range map[string]string{file: text, filepath.Join(s.home, "etc", template): read(template)} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	return file, listeners
}

// TestCompleteTakeover takes over an HAProxy started with the seed's files by another
// program, as the daemon that haproxy-zk replaces does: its sockets cannot pass on
// listeners.
func TestCompleteTakeover(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.connect()
		app := s.app(front)
		file := s.written()
		cmd := exec.CommandContext(t.Context(), shared.binary, "render", "--config", file)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.home}
		rendered, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		old := strings.ReplaceAll(string(rendered), " expose-fd listeners", "")
		if err := os.WriteFile(s.config.ConfFile(), []byte(old), 0o644); err != nil {
			t.Fatal(err)
		}
		start := exec.CommandContext(t.Context(), h.Path, "-D", "-f", s.config.ConfFile(), "-p", s.config.PIDFile())
		if output, err := start.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		text, err := os.ReadFile(s.config.PIDFile())
		if err != nil {
			t.Fatal(err)
		}
		pids := strings.Fields(string(text))
		t.Cleanup(func() {
			for _, pid := range pids {
				if n, err := strconv.Atoi(pid); err == nil && s.lives(pid) {
					_ = syscall.Kill(n, syscall.SIGKILL)
				}
			}
		})

		code, findings := s.findings(file)
		wants(t, findings, "note", "ngboss.pid_file", "run takes over from it")
		if code != 0 {
			t.Errorf("exit code %d: %+v", code, findings)
		}

		s.launch(file)
		s.ready()
		s.serves(front, app)
		s.eventually("the old processes end", func() error {
			for _, pid := range pids {
				if s.lives(pid) {
					return fmt.Errorf("%s lives", pid)
				}
			}
			return nil
		})
		s.lost(s.loadOnce())
		s.stopped()
	})
}

// lives reports whether a process of the stage has that pid; a zombie has no command
// line.
func (s *stage) lives(pid string) bool {
	cmdline, err := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
	return err == nil && strings.Contains(string(cmdline), s.home)
}

// loadOnce sends some requests to the default backend.
func (s *stage) loadOnce() *rig.Load {
	s.t.Helper()
	load, err := rig.NewLoad(rig.LoadOptions{Addr: s.config.Listener(), Targets: []rig.Target{{Path: "/", App: front}}, Fresh: 2, MaxRequests: 20})
	if err != nil {
		s.t.Fatal(err)
	}
	load.Start(s.t.Context())
	s.eventually("twenty requests", func() error {
		if got := load.Result(); !got.Exhausted {
			return fmt.Errorf("%d requests", got.Requests)
		}
		return nil
	})
	return load
}

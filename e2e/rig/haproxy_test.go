package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const staticConfig = `global
    stats socket %[1]s mode 600 level admin
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend public
    bind 127.0.0.1:%[2]d
    default_backend web
backend web
    server web1 %[3]s
    server web2 %[4]s
    server web3 127.0.0.1:1 disabled
`

// Load through every HAProxy reaches both instances and loses nothing; killing HAProxy
// is noticed.
func TestLoadThroughHAProxy(t *testing.T) {
	t.Parallel()
	binaries, err := HAProxies()
	if err != nil {
		t.Fatal(err)
	}
	for _, binary := range binaries {
		t.Run(binary.Name, func(t *testing.T) {
			t.Parallel()
			throughHAProxy(t, binary)
		})
	}
}

func throughHAProxy(t *testing.T, binary HAProxy) {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "sock")
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	var apps [2]*App
	for i := range apps {
		if apps[i], err = StartApp("web"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = apps[i].Stop() })
	}
	file := filepath.Join(dir, "haproxy.cfg")
	text := fmt.Sprintf(staticConfig, socket, port, apps[0].Addr(), apps[1].Addr())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log output
	cmd := exec.Command(binary.Path, "-db", "-f", file)
	cmd.Stdout, cmd.Stderr = &log, &log
	proxy, err := startChild(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.kill)

	var servers []Server
	err = Eventually(t.Context(), 30*time.Second, func() error {
		var err error
		servers, err = ServersState(socket)
		return err
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	want := []string{apps[0].Addr(), apps[1].Addr()}
	if want[1] < want[0] {
		want[0], want[1] = want[1], want[0]
	}
	if diff := cmp.Diff(want, Serving(servers, "web")); diff != "" || len(servers) != 3 {
		t.Errorf("serving (-want +got):\n%s of %v", diff, servers)
	}
	if version, err := Stats(socket, "show info"); err != nil || !strings.Contains(version, "Version: "+binary.Name) {
		t.Errorf("show info: %v, want version %s in\n%s", err, binary.Name, version)
	}

	load, err := NewLoad(LoadOptions{
		Addr: fmt.Sprintf("127.0.0.1:%d", port), KeepAlive: 3, Fresh: 3, Rate: 100,
		Targets: []Target{{Path: "/", App: "web"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	load.Start(t.Context())
	defer load.Stop()
	err = Eventually(t.Context(), 30*time.Second, func() error {
		if r := load.Result(); r.Requests < 300 {
			return fmt.Errorf("only %d requests", r.Requests)
		}
		return nil
	})
	if r := load.Result(); err != nil || r.Failures != 0 || len(r.Instances) != 2 {
		t.Errorf("%v; want no failures and two instances: %s", err, r)
	}
	proxy.kill()
	err = Eventually(t.Context(), 30*time.Second, func() error {
		if load.Result().Failures == 0 {
			return errors.New("no failure though HAProxy is gone")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// stubs is a directory of scripts in the place of HAProxy.
type stubs struct {
	t   *testing.T
	dir string
}

// install creates a script that answers -v, and returns its path.
func (s stubs) install(name, firstLine string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	script := "#!/bin/sh\ncat <<END\n" + firstLine + "\nmore\nEND\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// By default, tests run with all versions from 2.0 on, each once: the installed one,
// and those of this checkout only.
func TestHAProxiesFoundByDefault(t *testing.T) {
	s := stubs{t, t.TempDir()}
	if err := os.WriteFile(filepath.Join(s.dir, "go.mod"), []byte("module "+modulePath+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(s.dir)
	t.Setenv("HAPROXY_BINARIES", "")
	t.Setenv("PATH", filepath.Join(s.dir, "path")+":/usr/bin:/bin")
	names := func() (found []string) {
		t.Helper()
		haproxies, err := HAProxies()
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range haproxies {
			found = append(found, h.Name)
		}
		return found
	}

	s.install("path/haproxy", "HA-Proxy version 1.8.19-1+deb10u3 2020/08/01")
	if found, err := HAProxies(); err == nil {
		t.Errorf("no error but %v", found)
	}
	s.install("bin/haproxy-2.2/haproxy", "HA-Proxy version 2.2.9-2+deb11u6 2023/12/23")
	if diff := cmp.Diff([]string{"2.2.9"}, names()); diff != "" {
		t.Error(diff)
	}
	s.install("path/haproxy", "HAProxy version 3.0.11-1+deb13u3 2025/06/01")
	s.install("bin/haproxy-3.0/haproxy", "HAProxy version 3.0.12-1 2025/06/02")
	s.install("bin/haproxy-3.2/haproxy", "HAProxy version 3.2.26-1 2026/10/14")
	if diff := cmp.Diff([]string{"3.0.11", "2.2.9", "3.2.26"}, names()); diff != "" {
		t.Error(diff)
	}
}

func TestHAProxiesNamed(t *testing.T) {
	dir := t.TempDir()
	install := stubs{t, dir}.install
	want := []HAProxy{
		{Path: install("a", "HA-Proxy version 2.0.0 2019/06/16 - https://haproxy.org/"), Name: "2.0.0", Major: 2, Minor: 0, Nbproc: true},
		{Path: install("b", "HA-Proxy version 2.4-dev3 2020/12/11"), Name: "2.4", Major: 2, Minor: 4, Nbproc: true},
		{Path: install("c", "HAProxy version 2.6.12-1+deb12u4 2023/12/16"), Name: "2.6.12", Major: 2, Minor: 6},
		{Path: install("d", "HAProxy version 3.0.11-1+deb13u3 2025/06/01"), Name: "3.0.11", Major: 3, Minor: 0},
	}
	var paths []string
	for _, h := range want {
		paths = append(paths, h.Path)
	}
	t.Setenv("HAPROXY_BINARIES", strings.Join(paths, " ,"))
	got, err := HAProxies()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}

	for name, value := range map[string]string{
		"nothing":     " , ",
		"missing":     filepath.Join(dir, "none"),
		"no HAProxy":  install("e", "nginx version: 1.2"),
		"one missing": paths[0] + "," + filepath.Join(dir, "none"),
	} {
		t.Setenv("HAPROXY_BINARIES", value)
		if found, err := HAProxies(); err == nil {
			t.Errorf("%s: no error but %v", name, found)
		}
	}
}

package rig_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// With only the required values the file is the example of the seed document, except
// for the address and the ports.
func TestSeedConfigIsTheExample(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	config := &rig.SeedConfig{ZKAddr: "127.0.0.1:2181", HAProxy: "/usr/sbin/haproxy"}
	path, err := config.Write(home)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`_port": \d+`).ReplaceAllString(string(got), `_port": 0`)
	text = strings.ReplaceAll(text, ".ngboss.conf.template", ".conf.template")
	want, err := os.ReadFile("testdata/web.config.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if target, err := os.Readlink(filepath.Join(home, "sbin", "haproxy")); target != "/usr/sbin/haproxy" {
		t.Errorf("sbin/haproxy leads to %q, %v", target, err)
	}
	if config.ListenerPort == 0 || config.AdminPort == 0 || config.ListenerPort == config.AdminPort {
		t.Errorf("ports %d and %d", config.ListenerPort, config.AdminPort)
	}
	if got := config.Sockets(); len(got) != 2 || filepath.Dir(got[0]) != filepath.Join(home, "logs") {
		t.Errorf("sockets %v", got)
	}
}

func TestWriteConfigOfTwoProxies(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	one := &rig.SeedConfig{Proxy: "z", ZKAddr: "127.0.0.1:1", HAProxy: "/bin/sh", Groups: []rig.Group{{Name: "b"}, {Name: "a"}}}
	two := &rig.SeedConfig{Proxy: "a", ZKAddr: "127.0.0.1:1", HAProxy: "/bin/sh", Extra: map[string]any{"zk.path": "/x", "session_timeout": "2s"}}
	path, err := rig.WriteConfig(home, one, two)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if z, a := strings.Index(string(text), `"z": {`), strings.Index(string(text), `"a": {`); z < 0 || a < z {
		t.Errorf("the order of proxies and groups is lost:\n%s", text)
	}
	var file map[string]map[string]any
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if got := file["a"]; got["zk.path"] != "/x" || got["session_timeout"] != "2s" {
		t.Errorf("extra keys are lost: %v", got)
	}
	two.HAProxy = "/bin/ls"
	if _, err := rig.WriteConfig(home, one, two); err == nil {
		t.Error("two HAProxies under one link: no error")
	}
}

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/config"
)

// TestSecretsAreForgotten reads a file that mentions secrets, twice, as HUP does.
func TestSecretsAreForgotten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.json")
	text := `{"web": {"zk.addr": "${THE_ADDR}", "groups": {"*": {}}, "zk.auth": "digest:app:${THE_PASSWORD}"}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{"THE_ADDR": "zk:2181", "THE_PASSWORD": "canary"}
	for name, value := range environment {
		t.Setenv(name, value)
	}
	process, err := config.NewProcess(environment, map[string]string{"CONFIG": file, "RUN_DIR": dir})
	if err != nil {
		t.Fatal(err)
	}
	s := settings{process}
	for range 2 {
		cfg, _, err := s.configuration()
		if err != nil {
			t.Fatal(err)
		}
		if auth := cfg.Proxies[0].ZooKeeper.Auth.Reveal(); auth != "app:canary" {
			t.Errorf("got %q", auth)
		}
		if _, set := os.LookupEnv("THE_PASSWORD"); set {
			t.Error("HAProxy would get the password")
		}
		if _, set := os.LookupEnv("THE_ADDR"); !set {
			t.Error("HAProxy gets less than it should")
		}
	}
}

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"

	"github.com/haproxy-zk/haproxy-zk/config"
)

// What the packages install as an example is right, and complete names are known.
func TestPackagedExamples(t *testing.T) {
	const file = "../../build/package/config.json"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, warnings, err := config.Load(file, data, config.Environment{RunDir: "/run/haproxy-zk", Lookup: os.LookupEnv})
	if err != nil || len(warnings) > 0 {
		t.Errorf("%s: %v, %v", file, warnings, err)
	}

	text, err := os.ReadFile("../../build/package/environment")
	if err != nil {
		t.Fatal(err)
	}
	settingOf, proxy := make(map[string]string), make(map[string]string)
	for line := range bytes.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(string(line)), "=")
		if name = strings.TrimPrefix(name, "#"); !ok || name == "" || strings.ContainsAny(name, " `/") {
			continue
		}
		if len(config.EnvironmentConflicts(map[string]string{name: value})) > 0 {
			proxy[name] = value
		} else {
			settingOf[name] = value
		}
	}
	if _, warnings, err := config.FromEnvironment(config.Environment{RunDir: "/run/haproxy-zk", ReadFile: os.ReadFile}, proxy); err != nil || len(warnings) > 0 || len(proxy) < 10 {
		t.Errorf("the environment %v: %v, %v", proxy, warnings, err)
	}
	known, err := env.GetFieldParams(new(config.Process))
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range known {
		delete(settingOf, field.Key)
	}
	if len(settingOf) > 0 {
		t.Errorf("no settings: %v", settingOf)
	}
}

// What a fault of one process may do to the others, and to the host, is the unit's to
// bound.
func TestUnitBoundsFaults(t *testing.T) {
	text, err := os.ReadFile("../../build/haproxy-zk.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{
		"OOMPolicy=continue", "KillMode=process", "Restart=on-failure", "RestartPreventExitStatus=2",
		"UMask=0077", "LimitCORE=0", "ProtectProc=invisible", "RemoveIPC=yes", "NoNewPrivileges=yes",
		"SystemCallFilter=@system-service\nSystemCallFilter=~@privileged\nSystemCallFilter=setuid setuid32",
	} {
		if !strings.Contains(string(text), "\n"+setting+"\n") {
			t.Errorf("the unit has no %q", setting)
		}
	}
}

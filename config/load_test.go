package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the expected messages anew")

// All messages about an invalid file are compared with goldens.
func TestWrong(t *testing.T) {
	eachFile(t, "testdata/wrong/*.json", func(t *testing.T, cfg *Config, problems Problems) {
		t.Helper()
		if cfg != nil {
			t.Error("a configuration was returned")
		}
		if len(problems) == 0 {
			t.Error("no problem was found")
		}
	})
}

// All warnings about a valid file are compared with goldens.
func TestSuspicious(t *testing.T) {
	eachFile(t, "testdata/suspicious/*.json", func(t *testing.T, cfg *Config, problems Problems) {
		t.Helper()
		if cfg == nil {
			t.Error("no configuration was returned")
		}
		if len(problems) != 0 {
			t.Errorf("problems were found:\n%v", problems)
		}
	})
}

func eachFile(t *testing.T, pattern string, check func(*testing.T, *Config, Problems)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("glob %s: %d files, %v", pattern, len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			cfg, warnings, problems := load(t, file)
			check(t, cfg, problems)
			golden(t, strings.TrimSuffix(file, ".json")+".txt", messages(problems, warnings))
		})
	}
}

func messages(problems, warnings []Problem) string {
	var out strings.Builder
	for _, p := range problems {
		out.WriteString(p.String() + "\n")
	}
	for _, p := range warnings {
		out.WriteString("warning: " + p.String() + "\n")
	}
	return out.String()
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// load loads a file in the tests' environment.
func load(t *testing.T, file string) (*Config, []Problem, Problems) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg, warnings, err := Load(filepath.Base(file), data, environment())
	if err == nil {
		return cfg, warnings, nil
	}
	problems, ok := errors.AsType[*Problems](err)
	if !ok {
		t.Fatalf("the error is a %T, not a *Problems", err)
	}
	return cfg, warnings, *problems
}

func environment() Environment {
	variables := map[string]string{
		"HOME":        "/home/proxy",
		"ZK_ADDR":     "zk1:2181, zk2:2181/cloud",
		"ZK_PATH":     "/services/${group}/instances",
		"PORT":        "8443",
		"ZK_PASSWORD": "secret",
		"EMPTY":       "",
		"LINES":       "/run/a.pid\n/run/b.pid",
	}
	return Environment{
		RunDir: "/run/haproxy-zk",
		Lookup: func(name string) (string, bool) {
			value, set := variables[name]
			return value, set
		},
	}
}

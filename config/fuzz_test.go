package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// FuzzLoad checks invariants for any file: Load returns either printable problems or a
// configuration that the other packages can rely on.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, warnings, err := Load("fuzz.json", data, environment())
		lines := bytes.Count(data, []byte("\n")) + 1
		checkProblems(t, warnings, lines)
		if err != nil {
			problems, ok := errors.AsType[*Problems](err)
			if !ok || len(*problems) == 0 || cfg != nil {
				t.Fatalf("error %T %v with configuration %v", err, err, cfg)
			}
			checkProblems(t, *problems, lines)
			return
		}
		if len(cfg.Proxies) == 0 {
			t.Fatal("no proxy")
		}
		for _, p := range cfg.Proxies {
			checkProxy(t, p)
		}
	})
}

func checkProblems(t *testing.T, problems []Problem, lines int) {
	t.Helper()
	last := 1
	for _, p := range problems {
		if p.Line < last || p.Line > lines || p.Text == "" || strings.ContainsFunc(p.String(), unicode.IsControl) {
			t.Fatalf("problem %q behind line %d of %d", p, last, lines)
		}
		last = p.Line
	}
}

func checkProxy(t *testing.T, p Proxy) {
	t.Helper()
	texts := slices.Concat(
		[]string{p.Name, p.Exec, p.ConfFile, p.PIDFile, p.ZooKeeper.Chroot + "/"},
		p.SocketFiles, p.ZooKeeper.Servers,
	)
	registers := func(g Group) bool { return len(g.Instances) == 0 }
	sourceless := len(p.ZooKeeper.Servers) == 0 && p.Dir == "" && (p.Discover != nil || slices.ContainsFunc(p.Groups, registers))
	if len(p.SocketFiles) == 0 || sourceless || p.ListenerPort == 0 || p.AdminPort == 0 || p.SessionTimeout <= 0 {
		t.Fatalf("incomplete proxy: %+v", p)
	}
	groups := slices.Clone(p.Groups)
	if p.Discover != nil {
		g, err := p.Discover.Group("found")
		if err != nil || !strings.HasPrefix(g.Path, strings.TrimSuffix(p.Discover.Parent, "/")+"/found") {
			t.Fatalf("discovery %+v: %+v, %v", p.Discover, g, err)
		}
		groups = append(groups, g)
	}
	for _, g := range groups {
		texts = append(texts, g.Name, g.Path, g.Mode, g.ServerTemplate)
		texts = append(texts, g.Lines...)
		texts = append(texts, g.ACLs...)
		if g.MaxServer < 1 || !strings.HasPrefix(g.Path, "/") || strings.ContainsFunc(g.HTTPCheck, unicode.IsControl) {
			t.Fatalf("wrong group: %+v", g)
		}
	}
	for _, text := range texts {
		if text == "" || strings.ContainsFunc(text, unicode.IsControl) {
			t.Fatalf("value %q in %+v", text, p)
		}
	}
}

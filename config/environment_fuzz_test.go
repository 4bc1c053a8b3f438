package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// FuzzFromEnvironment checks invariants for any environment, and that no message contains
// the password.
func FuzzFromEnvironment(f *testing.F) {
	files, err := filepath.Glob("testdata/wrong-env/*.env")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), "secret", true)
	}
	f.Add("ZK_ADDR=zk1:2181\nADMIN_USER=a", "${HOME}", false)
	f.Add("ZK_ADDR=zk1:2181\nZK_GROUPS=a,b\nDEFAULT_BACKEND=b\nWORKERS=3", "", false)
	f.Fuzz(func(t *testing.T, text, password string, inFile bool) {
		const canary = "cAnArY"
		variables := parseVariables(strings.ReplaceAll(text, canary, ""))
		delete(variables, "ADMIN_PASSWORD")
		env := Environment{RunDir: "/run/haproxy-zk"}
		if inFile {
			variables["ADMIN_PASSWORD_FILE"] = "/run/secret"
			env.ReadFile = func(string) ([]byte, error) { return []byte(canary + password), nil }
		} else {
			variables["ADMIN_PASSWORD"] = canary + password
		}
		cfg, warnings, err := FromEnvironment(env, variables)
		checkVariables(t, warnings, canary)
		if err != nil {
			problems, ok := errors.AsType[*Problems](err)
			if !ok || len(*problems) == 0 || cfg != nil {
				t.Fatalf("error %T %v with configuration %v", err, err, cfg)
			}
			checkVariables(t, *problems, canary)
			return
		}
		if len(cfg.Proxies) != 1 {
			t.Fatalf("%d proxies", len(cfg.Proxies))
		}
		p := cfg.Proxies[0]
		checkProxy(t, p)
		if (len(p.Groups) == 0) != (p.Discover != nil) || !strings.HasPrefix(p.Admin.Password.Reveal(), canary) || p.Admin.User == "" {
			t.Fatalf("wrong proxy: %+v", p)
		}
	})
}

func checkVariables(t *testing.T, problems []Problem, secret string) {
	t.Helper()
	for _, p := range problems {
		text := p.String()
		if p.File != "environment" || p.Line != 0 || p.Key == "" || p.Text == "" || strings.Contains(text, secret) || strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
			t.Fatalf("problem %q", p)
		}
	}
}

// FuzzDiscoveredName checks that a name from ZooKeeper becomes a group that is valid in
// HAProxy's configuration, a URL and a path, or a short error.
func FuzzDiscoveredName(f *testing.F) {
	for _, name := range []string{"web", "a.b:c_d-9", "", ".", "..", "*", "a b", "a/b", "a\nbackend b", "é", "\xff", "${group}", "$1", "#", strings.Repeat("x", 65)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		cfg, _, err := Load("f", []byte(`{"web": {"zk.addr": "zk1:2181", "groups": {"*": {"httpchk": "GET /${app}"}}}}`), environment())
		if err != nil {
			t.Fatal(err)
		}
		d := cfg.Proxies[0].Discover
		g, err := d.Group(name)
		if err != nil {
			if text := err.Error(); len(text) > 1000 || strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
				t.Fatalf("error %q", text)
			}
			return
		}
		unsafe := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/\"'#$%{}?:`, r) }
		if name == "" || len(name) > 64 || strings.ContainsFunc(name, unsafe) || strings.Trim(name, ".") == "" && len(name) < 3 || strings.EqualFold(name, "or") {
			t.Fatalf("name %q", name)
		}
		if g.Name != name || g.Path != "/services/"+name+"/instances" || g.HTTPCheck != "GET /"+name || len(g.ACLs) > 0 || g.Route != haproxy.RoutePath || d.Path(name) != g.Path {
			t.Fatalf("group %+v", g)
		}
	})
}

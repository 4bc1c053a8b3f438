package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestZooKeeperAuth(t *testing.T) {
	env := secretFiles()
	env.Lookup = func(name string) (string, bool) {
		text, set := map[string]string{"PASSWORD": "a:${b}", "WHOLE": "digest:app:whole"}[name]
		return text, set
	}
	for name, test := range map[string]struct {
		keys      string
		want      string
		variables []string
	}{
		"none":               {``, "", nil},
		"as it is":           {`"zk.auth": "digest:app:a:b c#"`, "app:a:b c#", nil},
		"a variable in it":   {`"zk.auth": "digest:app:${PASSWORD}"`, "app:a:${b}", []string{"PASSWORD"}},
		"a variable alone":   {`"zk.auth": "${WHOLE}"`, "app:whole", []string{"WHOLE"}},
		"a file":             {`"zk.auth_file": "/run/secrets/zk"`, "app:${b}", nil},
		"a file of Windows'": {`"zk.auth_file": "/run/secrets/zk-windows"`, "app:typed", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if test.keys != "" {
				test.keys = ", " + test.keys
			}
			var forgotten []string
			env := env
			env.Forget = func(variable string) { forgotten = append(forgotten, variable) }
			cfg, warnings, err := Load("f", []byte(`{"web": {"zk.addr": "zk1:2181", "groups": {"*": {}}`+test.keys+`}}`), env)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("%v %v", err, warnings)
			}
			if got := cfg.Proxies[0].ZooKeeper.Auth.Reveal(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			test.variables = append(test.variables, "ADMIN_PASSWORD", "HAPROXY_ZK_ADMIN_PASSWORD", "ZK_AUTH", "HAPROXY_ZK_ZK_AUTH", "ZK_SASL", "HAPROXY_ZK_ZK_SASL")
			if diff := cmp.Diff(test.variables, forgotten); diff != "" {
				t.Errorf("secret variables: -want +got:\n%s", diff)
			}
		})
	}
}

func TestZooKeeperAuthOfTheEnvironment(t *testing.T) {
	for variables, want := range map[string]string{
		"ZK_AUTH=digest:app:a${b}'\"# ":     "app:a${b}'\"# ",
		"ZK_AUTH_FILE=/run/secrets/zk":      "app:${b}",
		"ZK_AUTH=\nZK_AUTH_FILE=":           "",
		"ZK_AUTH=digest:app::":              "app::",
		"ZK_AUTH=digest:app:${HOME}\nHOME=": "app:${HOME}",
	} {
		if got := describe(t, "ZK_ADDR=zk1:2181\n"+variables).ZooKeeper.Auth.Reveal(); got != want {
			t.Errorf("%s: got %q, want %q", variables, got, want)
		}
	}
	// No message may quote the secret as part of another variable.
	_, _, err := FromEnvironment(secretFiles(), parseVariables("ZK_ADDR=zk1:2181\nZK_AUTH=digest:a:canary\nMODE=${ZK_AUTH}"))
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

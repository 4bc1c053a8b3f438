package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Proxies described by variables and by files are equal.
func TestSameAsFile(t *testing.T) {
	for name, test := range map[string]struct {
		variables, file string
	}{
		"an address alone": {
			"ZK_ADDR=zk1:2181",
			`{"default": {"zk.addr": "zk1:2181", "groups": {"*": {}}}}`,
		},
		"empty ones are not set": {
			"ZK_ADDR=zk1:2181\nZK_GROUPS=\nACL=\nMODE=\nWORKERS=\nADMIN_USER=\nADMIN_PASSWORD=\nZK_AUTH=\nLISTENER_PORT=",
			`{"default": {"zk.addr": "zk1:2181", "groups": {"*": {}}}}`,
		},
		"groups in their order": {
			"ZK_ADDR=zk1:2181\nZK_GROUPS= web, mode ,acls\nDEFAULT_BACKEND=acls",
			`{"default": {"zk.addr": "zk1:2181", "groups": {
				"web": {"acls": ["path -i /web", "path_beg -i /web/"]},
				"mode": {"acls": ["path -i /mode", "path_beg -i /mode/"]},
				"acls": {"acls": ["path -i /acls", "path_beg -i /acls/"], "default_backend": true}
			}}}`,
		},
		"tcp": {
			"ZK_ADDR=zk1:2181\nMODE=tcp\nZK_GROUPS=redis\nLISTENER_PORT=6379\nPROXY_NAME=acls",
			`{"acls": {"zk.addr": "zk1:2181", "listener_port": 6379, "groups": {"redis": {"mode": "tcp", "default_backend": true}}}}`,
		},
		"tcp with an acl": {
			"ZK_ADDR=zk1:2181\nMODE=tcp\nZK_GROUPS=redis\nACL=src 10.0.0.0/8\nDEFAULT_BACKEND=redis",
			`{"default": {"zk.addr": "zk1:2181", "groups": {"redis": {"mode": "tcp", "default_backend": true, "acls": ["src 10.0.0.0/8"]}}}}`,
		},
		"every variable": {
			`ZK_ADDR=zk1:2181, ${HOST}:2181/cloud
				ZK_PATH=/apps/${app}/up
				EXEC=/opt/haproxy
				TEMPLATE=${HOME}/web.template
				CONF_FILE=/etc/haproxy.cfg
				PID_FILE=/run/haproxy.pid
				LISTENER_PORT=80
				ADMIN_PORT=81
				SESSION_TIMEOUT=30
				HARD_STOP_AFTER=0
				LISTENER_HOLD=0
				STOP_DELAY=3s
				STOP_GRACE=1m
				BALANCE=leastconn
				HTTPCHK=GET /${group}
				SERVER_TEMPLATE=s 1-${max_server} ${ip_port} check port ${PORT} disabled
				MAX_SERVER=3
				WAIT_CHECK=true
				CREATE_PATHS=true
				SERVER_CLOSE=false
				DRAIN_TIMEOUT=0
				PROXY_NAME=web
				ZK_GROUPS=a
				WORKERS=2
				ACL=hdr(host) -i ${group}.example
				HOST=zk2
				HOME=/home/proxy
				PORT=1`,
			`{"web": {
				"zk.addr": "zk1:2181,zk2:2181/cloud",
				"zk.path": "/apps/${app}/up",
				"exec": "/opt/haproxy",
				"template": "/home/proxy/web.template",
				"conf_file": "/etc/haproxy.cfg",
				"pid_file": "/run/haproxy.pid",
				"socket_files": ["/run/haproxy-zk/web.1.sock", "/run/haproxy-zk/web.2.sock"],
				"listener_port": 80,
				"admin_port": 81,
				"session_timeout": "30s",
				"hard_stop_after": 0,
				"listener_hold": 0,
				"stop_delay": "3s",
				"stop_grace": "1m",
				"create_paths": true,
				"groups": {"a": {
					"balance": "leastconn",
					"httpchk": "GET /a",
					"server-template": "s 1-${max_server} ${ip_port} check port 1 disabled",
					"max_server": 3,
					"wait_check": true,
					"server_close": false,
					"acls": ["hdr(host) -i a.example"]
				}}
			}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := describe(t, test.variables)
			if diff := cmp.Diff(must(t, test.file), []Proxy{p}); diff != "" {
				t.Errorf("proxies (-file +environment):\n%s", diff)
			}
		})
	}
}

func TestDefaultBackendDiscovered(t *testing.T) {
	p := describe(t, "ZK_ADDR=zk1:2181\nDEFAULT_BACKEND=web")
	for name, want := range map[string]bool{"web": true, "web-a": false} {
		if g, err := p.Discover.Group(name); err != nil || g.DefaultBackend != want {
			t.Errorf("%s: default backend %v, %v, want %v", name, g.DefaultBackend, err, want)
		}
	}
}

func TestAdmin(t *testing.T) {
	for name, test := range map[string]struct {
		variables string
		want      Admin
	}{
		"none":          {"", Admin{}},
		"variables":     {"ADMIN_USER=admin\nADMIN_PASSWORD= a${b}'\"# ", Admin{"admin", " a${b}'\"# "}},
		"file":          {"ADMIN_USER=admin\nADMIN_PASSWORD_FILE=/run/secrets/admin", Admin{"admin", "from a file\\"}},
		"file, windows": {"ADMIN_USER=admin\nADMIN_PASSWORD_FILE=/run/secrets/windows", Admin{"admin", "typed there"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := describe(t, "ZK_ADDR=zk1:2181\n"+test.variables).Admin; got != test.want {
				t.Errorf("got %s %q, want %s %q", got.User, got.Password.Reveal(), test.want.User, test.want.Password.Reveal())
			}
		})
	}
}

// Files of secrets cannot be read without ReadFile.
func TestSecretFileWithoutReadFile(t *testing.T) {
	variables := map[string]string{"ZK_ADDR": "zk1:2181", "ADMIN_USER": "a", "ADMIN_PASSWORD_FILE": "/p"}
	_, _, err := FromEnvironment(Environment{RunDir: "/run"}, variables)
	if err == nil || !strings.Contains(err.Error(), "ADMIN_PASSWORD_FILE") {
		t.Errorf("got %v", err)
	}
}

// All messages about invalid variables are compared with goldens.
func TestWrongEnvironment(t *testing.T) {
	files, err := filepath.Glob("testdata/wrong-env/*.env")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".env")
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			cfg, warnings, err := FromEnvironment(secretFiles(), parseVariables(string(data)))
			problems, ok := errors.AsType[*Problems](err)
			if cfg != nil || !ok {
				t.Fatalf("got configuration %v, error %v", cfg, err)
			}
			said := messages(*problems, warnings)
			golden(t, name+".txt", said)
			if strings.Contains(said, "canary") {
				t.Errorf("a secret is told:\n%s", said)
			}
		})
	}
}

func TestEnvironmentConflicts(t *testing.T) {
	got := EnvironmentConflicts(map[string]string{
		"ZK_TLS_CA": "/ca.pem", "ZK_ADDR": "zk1:2181", "WORKERS": "2", "LOSS_GUARD": "70%", "ACL": "", "ADMIN_PASSWORD_FILE": "/p",
		"CONFIG": "/c", "HTTP_ADDR": ":1", "RUN_DIR": "/r", "STATE_DIR": "/s", "START_WAIT": "5s", "LOG_LISTEN": "/l", "LOG_LEVEL": "info", "LOG_FORMAT": "json",
		"HOME": "/home/proxy", "": "x", "*": "x",
	})
	want := []string{"ADMIN_PASSWORD_FILE", "LOSS_GUARD", "WORKERS", "ZK_ADDR", "ZK_TLS_CA"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
}

// Variables that a file references are not conflicts.
func TestReferencedVariablesAreNoConflict(t *testing.T) {
	variables := parseVariables("ZK_ADDR=zk1:2181\nMODE=tcp")
	beside := maps.Clone(variables)
	env := Environment{RunDir: "/run/haproxy-zk", Lookup: func(name string) (string, bool) {
		delete(beside, name)
		text, set := variables[name]
		return text, set
	}}
	if _, _, err := Load("f", []byte(`{"web": {"zk.addr": "${ZK_ADDR}", "groups": {}}}`), env); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"MODE"}, EnvironmentConflicts(beside)); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
}

// describe returns the proxy of valid variables.
func describe(t *testing.T, variables string) Proxy {
	t.Helper()
	cfg, warnings, err := FromEnvironment(secretFiles(), parseVariables(variables))
	if err != nil || len(warnings) > 0 || len(cfg.Proxies) != 1 {
		t.Fatalf("configuration %+v, err: %v, warnings: %v", cfg, err, warnings)
	}
	return cfg.Proxies[0]
}

// parseVariables parses lines NAME=value; a value in double quotes is in Go syntax.
func parseVariables(text string) map[string]string {
	variables := make(map[string]string)
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if unquoted, err := strconv.Unquote(value); err == nil && strings.HasPrefix(value, `"`) {
			value = unquoted
		}
		if found {
			variables[strings.TrimSpace(name)] = value
		}
	}
	return variables
}

func secretFiles() Environment {
	return Environment{RunDir: "/run/haproxy-zk", ReadFile: func(name string) ([]byte, error) {
		text, ok := map[string]string{
			"/run/secrets/admin":      "from a file\\\n",
			"/run/secrets/windows":    "typed there\r\n",
			"/run/secrets/empty":      "\n",
			"/run/secrets/lines":      "canary\n\n",
			"/run/secrets/zk":         "digest:app:${b}\n",
			"/run/secrets/zk-windows": "digest:app:typed\r\n",
		}[name]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	}}
}

package config

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A flag wins over a long name, and that over a short one. A message has the name that was
// used.
func TestProcessSettingsTakePrecedence(t *testing.T) {
	p, err := NewProcess(map[string]string{
		"RUN_DIR": "/short", "HAPROXY_ZK_RUN_DIR": "/long", "STATE_DIR": "/short", "HAPROXY_ZK_STATE_DIR": "/long",
		"HTTP_ADDR": "127.0.0.1:1, [::1]:2", "HTTP_DETAIL_ADDR": "127.0.0.1:3", "HAPROXY_ZK_RUN_DIRS": "/typo",
		"HAPROXY_ZK_NODE_NAME": "node-1.example", "NODE_ZONE": "eu/a:1",
	}, map[string]string{"RUN_DIR": "/flag"})
	if err != nil {
		t.Fatal(err)
	}
	addrs, variables := p.AllHTTPAddrs()
	if diff := cmp.Diff([][]string{
		{"/flag", "/long", "5s"},
		{"127.0.0.1:1", "[::1]:2", "127.0.0.1:3"},
		{"HTTP_ADDR", "HTTP_ADDR", "HTTP_DETAIL_ADDR"},
		{"node-1.example", "eu/a:1"},
	}, [][]string{{p.RunDir, p.StateDir, p.StartWait.String()}, addrs, variables, {p.Place().Node, p.Place().Zone}}); diff != "" {
		t.Error(diff)
	}
	if len(p.warnings) != 1 || !strings.Contains(p.warnings[0].String(), "did you mean HAPROXY_ZK_RUN_DIR?") {
		t.Errorf("warnings %v", p.warnings)
	}
}

func TestProcessReportsAllProblems(t *testing.T) {
	_, err := NewProcess(map[string]string{"HAPROXY_ZK_HTTP_ADDR": "x", "LOG_FORMAT": "xml", "LOG_LISTEN": "127.0.0.1:70000", "NODE_NAME": "a\nb", "HAPROXY_ZK_NODE_ZONE": strings.Repeat("z", 254)}, map[string]string{"START_WAIT": "-1s"})
	if err == nil {
		t.Fatal("no error")
	}
	var names []string
	for line := range strings.Lines(err.Error()) {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	if diff := cmp.Diff([]string{"LOG_FORMAT", "HAPROXY_ZK_HTTP_ADDR", "NODE_NAME", "HAPROXY_ZK_NODE_ZONE", "LOG_LISTEN", "START_WAIT"}, names); diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// The file that is named comes first, then the usual one, then the environment.
func TestProcessLoadsOneSource(t *testing.T) {
	const proxy = `{"web": {"zk.addr": "${ADDR}", "exec": "a", "groups": {"*": {}}}, "api": {"zk.addr": "b:1", "exec": "a", "listener_port": 1, "admin_port": 2, "groups": {"*": {}}}}`
	for _, test := range []struct {
		name        string
		files       map[string]string
		environment map[string]string
		executables []string
		says        string
	}{
		{"a file that is named", map[string]string{"/c": proxy, DefaultFile: "{"}, map[string]string{"CONFIG": "/c", "ADDR": "a:1"}, []string{"a"}, ""},
		{"the usual file", map[string]string{DefaultFile: proxy}, map[string]string{"ADDR": "a:1"}, []string{"a"}, ""},
		{"the environment", nil, map[string]string{"ZK_ADDR": "a:1", "EXEC": "b"}, []string{"b"}, ""},
		{"a file that is missing", map[string]string{DefaultFile: proxy}, map[string]string{"CONFIG": "/c", "EXEC": "c"}, []string{"c"}, "configuration file /c does not exist"},
		{"a file that cannot be read", map[string]string{"/c": ""}, map[string]string{"CONFIG": "/c"}, []string{DefaultExec}, "read the configuration: "},
		{"nothing", nil, nil, []string{DefaultExec}, "there is no " + DefaultFile + ", so the environment describes one proxy:\nenvironment: ZK_ADDR"},
		{"a file and the environment", map[string]string{DefaultFile: proxy}, map[string]string{"ADDR": "a:1", "ZK_ADDR": "a:1"}, []string{DefaultExec}, "(ZK_ADDR) both configure proxies"},
		{"a variable of both", map[string]string{DefaultFile: strings.Replace(proxy, "ADDR", "ZK_ADDR", 1)}, map[string]string{"ZK_ADDR": "a:1"}, []string{"a"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := NewProcess(test.environment, nil)
			if err != nil {
				t.Fatal(err)
			}
			read := func(path string) ([]byte, error) {
				text, found := test.files[path]
				switch {
				case !found:
					return nil, &fs.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
				case text == "":
					return nil, errors.ErrUnsupported
				}
				return []byte(text), nil
			}
			cfg, _, err := p.Load(Environment{ReadFile: read})
			if (err == nil) != (test.says == "") || (cfg == nil) != (err != nil) || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, %v", cfg, err)
			}
			if diff := cmp.Diff(test.executables, p.Executables(cfg)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

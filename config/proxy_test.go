package config

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/decode"
)

// must loads a valid text.
func must(t *testing.T, text string) []Proxy {
	t.Helper()
	cfg, warnings, err := Load("test.json", []byte(text), environment())
	if err != nil || len(warnings) > 0 {
		t.Fatalf("err: %v, warnings: %v", err, warnings)
	}
	return cfg.Proxies
}

func TestDefaults(t *testing.T) {
	got := must(t, `{"web": {"zk.addr": "zk1:2181", "groups": {"a": {}}}}`)
	want := []Proxy{{
		Name:      "web",
		ZooKeeper: ZooKeeper{Servers: []string{"zk1:2181"}},
		Groups: []Group{{
			Name:           "a",
			Path:           "/services/a/instances",
			Mode:           "http",
			ServerTemplate: "${group_name} 1-${max_server} ${ip_port} check inter 2000 rise 1 fall 2 disabled",
			MaxServer:      10,
			LossGuard:      100,
			Carry:          "slots",
			Decoding:       decode.Options{Format: decode.IPPort},
		}},
		Exec:           "haproxy",
		ConfFile:       "/run/haproxy-zk/web.cfg",
		PIDFile:        "/run/haproxy-zk/web.pid",
		SocketFiles:    []string{"/run/haproxy-zk/web.1.sock"},
		ListenerPort:   8080,
		AdminPort:      20001,
		SessionTimeout: 10 * time.Second,
		HardStopAfter:  30 * time.Minute,
		ListenerHold:   2 * time.Second,
		StopGrace:      8 * time.Second,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("proxies (-want +got):\n%s", diff)
	}
}

// Each key is written, with numbers and booleans as strings where possible.
func TestEveryKey(t *testing.T) {
	got := must(t, `{"tcp.1": {
		"zk.addr": "${ZK_ADDR}",
		"zk.path": "${ZK_PATH}",
		"groups": {
			"b": {
				"zk.path": "/other/${app}",
				"acls": ["path_beg -i /${group}/", "hdr(host) -m reg ^${app}[.]example$"],
				"mode": "tcp",
				"balance": "leastconn",
				"httpchk": "OPTIONS /${app}",
				"server-template": "${group_name}-s ${min_server}-${max_server} [::1]:0 check port ${PORT} disabled",
				"max_server": "30",
				"default_backend": "true",
				"wait_check": true,
				"drain_timeout": "1m",
				"loss_guard": "70%",
				"carry": "auto",
				"listener_port": "${PORT}",
				"server_close": "false"
			},
			"a": {"httpchk": "${EMPTY}", "server_close": true, "server-template": "s 20 free.example:1 disabled"}
		},
		"exec": "haproxy-2.2",
		"template": "/etc/tcp.template",
		"conf_file": "${HOME}/my files/tcp.cfg",
		"pid_file": "/run/tcp.pid",
		"socket_files": ["${HOME}/1.sock", "${HOME}/2.sock"],
		"listener_port": "81",
		"admin_port": "20002",
		"session_timeout": 30,
		"hard_stop_after": "0",
		"listener_hold": "500ms",
		"stop_delay": "5s",
		"stop_grace": 1.5,
		"create_paths": "true"
	}}`)
	want := []Proxy{{
		Name:      "tcp.1",
		ZooKeeper: ZooKeeper{Servers: []string{"zk1:2181", "zk2:2181"}, Chroot: "/cloud"},
		Groups: []Group{
			{
				Name:           "b",
				Path:           "/other/b",
				ACLs:           []string{"path_beg -i /b/", "hdr(host) -m reg ^b[.]example$"},
				Mode:           "tcp",
				Balance:        "leastconn",
				HTTPCheck:      "OPTIONS /b",
				ServerTemplate: "${group_name}-s ${min_server}-${max_server} [::1]:0 check port 8443 disabled",
				MaxServer:      30,
				DefaultBackend: true,
				WaitCheck:      true,
				ListenerPort:   8443,
				DrainTimeout:   time.Minute,
				LossGuard:      70,
				Carry:          "auto",
				Decoding:       decode.Options{Format: decode.IPPort},
				ServerClose:    new(false),
			},
			{
				Name:           "a",
				Path:           "/services/a/instances",
				Mode:           "http",
				ServerTemplate: "s 20 free.example:1 disabled",
				MaxServer:      10,
				LossGuard:      100,
				Carry:          "slots",
				Decoding:       decode.Options{Format: decode.IPPort},
				ServerClose:    new(true),
			},
		},
		Exec:           "haproxy-2.2",
		Template:       "/etc/tcp.template",
		ConfFile:       "/home/proxy/my files/tcp.cfg",
		PIDFile:        "/run/tcp.pid",
		SocketFiles:    []string{"/home/proxy/1.sock", "/home/proxy/2.sock"},
		ListenerPort:   81,
		AdminPort:      20002,
		SessionTimeout: 30 * time.Second,
		ListenerHold:   500 * time.Millisecond,
		StopDelay:      5 * time.Second,
		StopGrace:      1500 * time.Millisecond,
		CreatePaths:    true,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("proxies (-want +got):\n%s", diff)
	}
}

func TestHardStopAfter(t *testing.T) {
	for name, test := range map[string]struct {
		rest string
		want time.Duration
	}{
		"http and tcp": {`"groups": {"a": {"mode": "tcp"}, "b": {}}`, 30 * time.Minute},
		"only tcp":     {`"groups": {"a": {"mode": "tcp"}, "b": {"mode": "tcp"}}`, 0},
		"tcp, written": {`"groups": {"a": {"mode": "tcp"}}, "hard_stop_after": "1h"`, time.Hour},
		"never":        {`"groups": {"a": {}}, "hard_stop_after": 0`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := must(t, `{"web": {"zk.addr": "zk1:2181", `+test.rest+`}}`)[0]
			if p.HardStopAfter != test.want {
				t.Errorf("got %v, want %v", p.HardStopAfter, test.want)
			}
		})
	}
}

// The environment's directory is checked as well.
func TestRunDir(t *testing.T) {
	env := Environment{RunDir: "run"}
	_, _, err := Load("f", []byte(`{"web": {"zk.addr": "zk1:2181", "groups": {"a": {}}, "exec": "${HOME}/x"}}`), env)
	want := `f:1: web.conf_file: "run/web.cfg" is a relative path: give an absolute path, as in ${HOME}/etc/NAME
f:1: web.pid_file: "run/web.pid" is a relative path: give an absolute path without spaces, commas, quotes, \ and #
f:1: web.socket_files: "run/web.1.sock" is a relative path: give an absolute path without spaces, commas, quotes, \ and #, of at most 97 bytes
f:1: web.exec: the environment does not set ${HOME}: set it or correct the name`
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// A group has its own latency_histogram, else the proxy's.
func TestLatencyHistogramIsInherited(t *testing.T) {
	for _, test := range []struct {
		proxy, group, discovered string
		groupHas, discoveredHave bool
	}{
		{"", "", "", false, false},
		{`"latency_histogram": true,`, "", "", true, true},
		{`"latency_histogram": true,`, `"latency_histogram": false`, "", false, true},
		{`"latency_histogram": "false",`, `"latency_histogram": "true"`, "", true, false},
		{"", "", `"latency_histogram": true`, false, true},
	} {
		p := must(t, fmt.Sprintf(`{"web": {%s "zk.addr": "zk:2181", "groups": {"a": {%s}, "*": {%s}}}}`, test.proxy, test.group, test.discovered))[0]
		if p.Groups[0].LatencyHistogram != test.groupHas || p.Discover.Entry.LatencyHistogram != test.discoveredHave {
			t.Errorf("%+v: %t, %t", test, p.Groups[0].LatencyHistogram, p.Discover.Entry.LatencyHistogram)
		}
	}
	if p := describe(t, "ZK_ADDR=zk:2181\nZK_GROUPS=a\nLATENCY_HISTOGRAM=true"); !p.Groups[0].LatencyHistogram {
		t.Error("LATENCY_HISTOGRAM has no effect")
	}
}

func TestSources(t *testing.T) {
	const text = `{
  "files": {"dir": "/srv/services/", "groups": {"web": {"instances": ["10.0.0.2:80", "10.0.0.1:80", "10.0.0.2:80"]}}},
  "both": {"zk.addr": "zk:2181", "dir": "/srv", "groups": {"*": {}}, "listener_port": 1, "admin_port": 2},
  "written": {"groups": {"web": {"instances": ["[fd00::1]:80"]}}, "listener_port": 3, "admin_port": 4}
}`
	cfg, warnings, err := Load("c.json", []byte(text), environment())
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	files, both, written := cfg.Proxies[0], cfg.Proxies[1], cfg.Proxies[2]
	if files.Dir != "/srv/services" || len(files.ZooKeeper.Servers) > 0 || len(files.Groups[0].Instances) != 2 || files.Groups[0].Instances[0].String() != "10.0.0.1:80" {
		t.Errorf("%+v", files)
	}
	if both.Dir != "/srv" || len(both.ZooKeeper.Servers) != 1 || both.Discover == nil {
		t.Errorf("%+v", both)
	}
	if written.Dir != "" || len(written.ZooKeeper.Servers) > 0 || written.Groups[0].Instances[0].String() != "[fd00::1]:80" {
		t.Errorf("%+v", written)
	}
	fromEnvironment, _, err := FromEnvironment(Environment{RunDir: "/run"}, map[string]string{"SERVICES_DIR": "/srv/services"})
	if err != nil || fromEnvironment.Proxies[0].Dir != "/srv/services" || fromEnvironment.Proxies[0].Discover == nil {
		t.Errorf("%+v %v", fromEnvironment, err)
	}
}

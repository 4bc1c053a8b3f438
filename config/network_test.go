package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestNetworks(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8":           "10.0.0.0/8",
		"10.0.0.1":             "10.0.0.1/32",
		"fd00::/8":             "fd00::/8",
		"::1":                  "::1/128",
		"::ffff:10.0.0.0/104":  "10.0.0.0/8",
		"::ffff:10.0.0.1":      "10.0.0.1/32",
		"0.0.0.0/0":            "0.0.0.0/0",
		"10.0.0.1/8":           `"10.0.0.1/8" has bits set beyond its mask, 10.0.0.0/8 has none`,
		"::ffff:0.0.0.0/90":    `"::ffff:0.0.0.0/90" has bits set beyond its mask, ::ffc0:0:0/90 has none`,
		"10.0.0.0/33":          `"10.0.0.0/33" is not a network`,
		"web":                  `"web" is not a network`,
		"fe80::1%eth0":         `"fe80::1%eth0" is not a network`,
		"fe80::%eth0/10":       `"fe80::%eth0/10" is not a network`,
		"10.0.0.0/8,fd00::/8 ": `"10.0.0.0/8,fd00::/8 " is not a network`,
	} {
		got := ""
		if n, err := parseNetwork(text); err != nil {
			got = err.Error()
		} else {
			got = n.String()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestProxyNetworks(t *testing.T) {
	cfg, _, err := Load("c.json", []byte(`{"p": {"zk.addr": "zk:2181", "groups": {"a": {}}, "allow_networks": ["10.0.0.0/8", "fd00::/8"], "deny_networks": "10.1.0.0/16, 10.2.0.0/16"}}`), Environment{RunDir: "/run"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(cfg.Proxies[0].AllowNetworks, cfg.Proxies[0].DenyNetworks), "[10.0.0.0/8 fd00::/8] [10.1.0.0/16 10.2.0.0/16]"; got != want {
		t.Errorf("the file's are %s, want %s", got, want)
	}
	cfg, _, err = FromEnvironment(Environment{RunDir: "/run"}, map[string]string{"ZK_ADDR": "zk:2181", "ALLOW_NETWORKS": "10.0.0.0/8,fd00::/8", "DENY_NETWORKS": "10.1.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(cfg.Proxies[0].AllowNetworks, cfg.Proxies[0].DenyNetworks), "[10.0.0.0/8 fd00::/8] [10.1.0.0/16]"; got != want {
		t.Errorf("the environment's are %s, want %s", got, want)
	}
	_, _, err = FromEnvironment(Environment{RunDir: "/run"}, map[string]string{"ZK_ADDR": "zk:2181", "DENY_NETWORKS": "10.1.0.0/8"})
	if err == nil || !strings.Contains(err.Error(), "DENY_NETWORKS") || !strings.Contains(err.Error(), "10.0.0.0/8") {
		t.Errorf("a variable that is wrong: %v", err)
	}
	_, _, err = Load("c.json", []byte(`{"p": {"zk.addr": "zk:2181", "groups": {"a": {}}, "allow_networks": ["10.0.0.0/8", "x"]}}`), Environment{RunDir: "/run"})
	if err == nil || !strings.Contains(err.Error(), "p.allow_networks[1]") {
		t.Errorf("a key that is wrong: %v", err)
	}
}

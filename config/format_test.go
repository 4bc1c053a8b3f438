package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/decode"
)

func TestFormats(t *testing.T) {
	load := func(proxy, group string) (*Config, []Problem, error) {
		return Load("f", []byte(fmt.Sprintf(`{"web": {"zk.addr": "zk1:2181", %s "groups": {%s}}}`, proxy, group)), environment())
	}
	for _, test := range []struct {
		proxy, group string
		want         decode.Format
	}{
		{``, `"a": {}`, decode.IPPort},
		{``, `"*": {}`, decode.Auto},
		{`"zk.format": "curator",`, `"a": {}`, decode.Curator},
		{`"zk.format": "curator",`, `"*": {}`, decode.Curator},
		{`"zk.format": "curator",`, `"a": {"format": "ip:port"}`, decode.IPPort},
		{``, `"*": {"format": "name"}`, decode.Name},
	} {
		cfg, problems, err := load(test.proxy, test.group)
		if err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		var got decode.Format
		if p := cfg.Proxies[0]; p.Discover != nil {
			got = p.Discover.Entry.Decoding.Format
		} else {
			got = p.Groups[0].Decoding.Format
		}
		if got != test.want {
			t.Errorf("%s %s: got %s, want %s", test.proxy, test.group, got, test.want)
		}
	}
	for group, says := range map[string]string{
		`"a": {"format": "zuul"}`:                              `"zuul" is not known`,
		`"a": {"format": "regex"}`:                             "the format is regex, but there is none",
		`"a": {"format": "regex", "regex": "("}`:               "cannot be compiled",
		`"a": {"format": "regex", "regex": "(?P<host>.*)"}`:    "has no group port",
		`"a": {"match": {"version": "2"}}`:                     "have no metadata",
		`"a": {"format": "curator", "match": {"version": []}}`: "found an array",
		`"a": {"format": "curator", "match": "version"}`:       "is not a key and a value",
		`"a": {"format": "curator", "match": 1}`:               "found a number",
	} {
		if _, _, err := load("", group); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v does not say %q", group, err, says)
		}
	}
	if _, problems, err := load("", `"a": {"regex": "(?P<host>a)(?P<port>1)"}`); err != nil || len(problems) != 1 {
		t.Error(problems, err)
	}
}

func TestTwoGroupsSplitOnePath(t *testing.T) {
	cfg, problems, err := Load("f", []byte(`{"web": {"zk.addr": "zk1:2181", "zk.path": "/services/web", "zk.format": "curator",
		"groups": {"blue": {"match": {"version": "1"}}, "green": {"match": {"version": 2}}}}}`), environment())
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if d := cmp.Diff(map[string]string{"version": "2"}, cfg.Proxies[0].Groups[1].Decoding.Match); d != "" {
		t.Error(d)
	}
}

func TestFormatFromEnvironment(t *testing.T) {
	cfg, problems, err := FromEnvironment(environment(), map[string]string{
		"ZK_ADDR": "zk1:2181", "ZK_FORMAT": "curator", "MATCH": "version=2, zone=a", "PROTOCOL": "tri", "PORT_NAME": "http",
	})
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	want := decode.Options{Format: decode.Curator, PortName: "http", Protocol: "tri", Match: map[string]string{"version": "2", "zone": "a"}}
	if d := cmp.Diff(want, cfg.Proxies[0].Discover.Entry.Decoding); d != "" {
		t.Error(d)
	}
}

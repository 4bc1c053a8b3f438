package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseZooKeeper(t *testing.T) {
	for text, want := range map[string]ZooKeeper{
		"zk1:2181":                      {Servers: []string{"zk1:2181"}},
		" zk1:1 ,\tzk2:65535 ":          {Servers: []string{"zk1:1", "zk2:65535"}},
		"zk1:2181,zk2:2181/cloud/a":     {Servers: []string{"zk1:2181", "zk2:2181"}, Chroot: "/cloud/a"},
		"zk1:2181 /cloud ":              {Servers: []string{"zk1:2181"}, Chroot: "/cloud"},
		"zk1:2181/":                     {Servers: []string{"zk1:2181"}},
		"10.238.99.212:21810,[::1]:1/a": {Servers: []string{"10.238.99.212:21810", "[::1]:1"}, Chroot: "/a"},
		"zk_1-a.ns.svc.:2181":           {Servers: []string{"zk_1-a.ns.svc.:2181"}},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := parseZooKeeper(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("servers (-want +got):\n%s", diff)
			}
		})
	}
}

package check

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

func onlineProxy() config.Proxy {
	return config.Proxy{
		Name:      "web",
		ZooKeeper: config.ZooKeeper{Servers: []string{"a:2181", "b:2181"}, Chroot: "/root"},
		Groups:    []config.Group{{Name: "full", Path: "/full"}, {Name: "empty", Path: "/empty"}, {Name: "odd", Path: "/odd"}, {Name: "denied", Path: "/denied"}},
	}
}

// severities returns the severities and places of findings.
func severities(found []finding) []string {
	var all []string
	for _, f := range found {
		all = append(all, f.Severity+" "+f.Where)
	}
	return all
}

func TestServers(t *testing.T) {
	p := onlineProxy()
	for _, test := range []struct {
		away []string
		want []string
	}{
		{nil, nil},
		{[]string{"b:2181"}, []string{"warning web.zk.addr"}},
		{[]string{"a:2181", "b:2181"}, []string{"error web.zk.addr", "error web.zk.addr"}},
	} {
		probe := func(_ context.Context, server string) error {
			if slices.Contains(test.away, server) {
				return errors.New("refused")
			}
			return nil
		}
		unreachable := probeServers(t.Context(), p.ZooKeeper.Servers, probe)
		if diff := cmp.Diff(test.want, severities(judgeServers(p, unreachable))); diff != "" {
			t.Errorf("%v away: -want +got\n%s", test.away, diff)
		}
	}
}

func TestJudgeGroups(t *testing.T) {
	p := onlineProxy()
	one := []registry.Instance{{Addr: netip.MustParseAddrPort("10.0.0.1:80")}}
	read := reading{discovered: true, groups: map[string]registry.Group{
		"full": {Instances: one}, "empty": {}, "odd": {Instances: one, Skipped: 2},
	}, registrations: map[string]registry.Registrations{
		"odd": {Usable: 1, Findings: []registry.Finding{{Kind: registry.HostName, Count: 1}, {Kind: registry.Refused, Count: 1}}},
	}}
	want := []string{"warning web.groups.empty.zk.path", "warning web.groups.odd.zk.path", "error web.groups.denied.zk.path"}
	if diff := cmp.Diff(want, severities(judgeGroups(p, read, registry.ConnectionStatus{Connected: true}))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"error web.zk.addr"}, severities(judgeGroups(p, reading{}, registry.ConnectionStatus{Problem: "silent"}))); diff != "" {
		t.Errorf("no session: -want +got\n%s", diff)
	}
	p.Discover = &config.Discovery{Parent: "/services"}
	p.Groups = nil
	if diff := cmp.Diff([]string{"error web.groups.*.zk.path"}, severities(judgeGroups(p, reading{}, registry.ConnectionStatus{Connected: true}))); diff != "" {
		t.Errorf("nothing discovered: -want +got\n%s", diff)
	}
}

func TestCollector(t *testing.T) {
	isComplete := func(c *collector) bool {
		select {
		case <-c.complete:
			return true
		default:
			return false
		}
	}
	c := newCollector(config.Proxy{Groups: []config.Group{{Name: "a"}, {Name: "b"}}, Discover: &config.Discovery{}})
	for i, step := range []func(){
		func() { c.SetGroup(registry.Group{Name: "a"}) },
		func() { c.SetGroup(registry.Group{Name: "b"}) },
		func() { c.SetGroups(registry.Discovered{Names: []string{"gone", "c", "un safe"}}) },
		func() { c.SetGroups(registry.Discovered{Names: []string{"c", "un safe"}}) },
		func() { c.SetGroup(registry.Group{Name: "c"}) },
	} {
		if isComplete(c) {
			t.Errorf("complete before step %d", i)
		}
		step()
	}
	c.SetGroup(registry.Group{Name: "c"}) // once more, after completion
	if got := c.read(); !isComplete(c) || len(got.groups) != 3 || !got.discovered {
		t.Errorf("%t %+v", isComplete(c), got)
	}
}

package main

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

// told is what findings are, without their words.
func told(found []finding) []string {
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
		if diff := cmp.Diff(test.want, told(judgeServers(p, unreachable))); diff != "" {
			t.Errorf("%v away: -want +got\n%s", test.away, diff)
		}
	}
}

func TestJudgeGroups(t *testing.T) {
	p := onlineProxy()
	one := []registry.Instance{{Addr: netip.MustParseAddrPort("10.0.0.1:80")}}
	read := reading{discovered: true, groups: map[string]registry.Group{
		"full": {Instances: one}, "empty": {}, "odd": {Instances: one, Skipped: 2},
	}}
	want := []string{"warning web.groups.empty.zk.path", "warning web.groups.odd.zk.path", "error web.groups.denied.zk.path"}
	if diff := cmp.Diff(want, told(judgeGroups(p, read, registry.Contact{Connected: true}))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"error web.zk.addr"}, told(judgeGroups(p, reading{}, registry.Contact{Problem: "silent"}))); diff != "" {
		t.Errorf("no session: -want +got\n%s", diff)
	}
	p.Discover = &config.Discovery{Parent: "/services"}
	p.Groups = nil
	if diff := cmp.Diff([]string{"error web.groups.*.zk.path"}, told(judgeGroups(p, reading{}, registry.Contact{Connected: true}))); diff != "" {
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
		func() { c.SetGroups(registry.Discovered{Names: []string{"c"}}) },
	} {
		if isComplete(c) {
			t.Errorf("complete before step %d", i)
		}
		step()
	}
	c.SetGroup(registry.Group{Name: "c"}) // once more, after the end
	if got := c.read(); !isComplete(c) || len(got.groups) != 3 || !got.discovered {
		t.Errorf("%t %+v", isComplete(c), got)
	}
}

package check

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestRegistrationsAreReportedWithAnExample(t *testing.T) {
	p := config.Proxy{Name: "web"}
	r := registry.Registrations{Group: "x", Findings: []registry.Finding{
		{Kind: registry.HostName, Count: 2, Example: `a\n:1`, Problem: "a host name instead of an IP address"},
		{Kind: registry.Refused, Count: 1, Example: "127.0.0.1:1", Problem: "denied"},
		{Kind: registry.Misplaced, Count: 1, Example: "fd1e", Problem: "/services/x/instances does not exist, and /services/x has other children; the example is a UUID"},
		{Kind: registry.Persistent, Count: 3, Example: "10.0.0.1:80", Problem: "registered, but not ephemeral: it stays when the instance dies"},
	}}
	want := []string{
		`warning: web.groups.x.zk.path: /x: 2 names skipped, as "a\n:1": a host name instead of an IP address; none of the group's names can be used`,
		`warning: web.groups.x.zk.path: /services/x/instances does not exist, and /services/x has other children; the example is a UUID (1 child, as "fd1e")`,
		`warning: web.groups.x.zk.path: /x: 3 instances, as "10.0.0.1:80": registered, but not ephemeral: it stays when the instance dies`,
	}
	var got []string
	for _, f := range judgeRegistrations(p, ".groups.x", "/x", r) {
		got = append(got, f.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNumberOfReportedDiscoveredGroupsIsBounded(t *testing.T) {
	p := config.Proxy{Name: "web", Discover: &config.Discovery{Parent: "/s", Entry: config.Group{Path: "/s/${group}/instances"}}}
	read := reading{discovered: true, unread: 1, examined: true, registrations: make(map[string]registry.Registrations)}
	for i := range maxDiscovered + 5 {
		name := fmt.Sprintf("g%02d", i)
		read.names = append(read.names, name, "fine-"+name)
		read.registrations[name] = registry.Registrations{Group: name, Findings: []registry.Finding{{Kind: registry.UUID, Count: 1}}}
	}
	found := judgeDiscovered(p, read, registry.ConnectionStatus{Denied: "no permission"})
	if len(found) != maxDiscovered+2 || !strings.Contains(found[0].Text, "/s/g00/instances") {
		t.Fatalf("%d findings, the first %v", len(found), found[0])
	}
	for i, want := range []string{"5 more discovered groups", "1 discovered group could not be read"} {
		if text := found[maxDiscovered+i].String(); !strings.Contains(text, want) {
			t.Errorf("%s, not %s", text, want)
		}
	}
}

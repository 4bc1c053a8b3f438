package hactl

import (
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestInbox(t *testing.T) {
	in := newInbox(time.Now)
	if m := in.take(); !m.empty() {
		t.Errorf("nothing was put in, out came %v", m)
	}
	before := time.Now()
	in.put(registry.Group{Name: "web", Skipped: 1})
	first := time.Now()
	in.put(registry.Group{Name: "api", Skipped: 2})
	in.put(registry.Group{Name: "web", Skipped: 3})
	same(t, "values that wake", 1, len(in.wake))
	<-in.wake
	m := in.take()
	same(t, "the last of each", map[string]registry.Group{"web": {Name: "web", Skipped: 3}, "api": {Name: "api", Skipped: 2}}, m.groups)
	if m.since.Before(before) || m.since.After(first) {
		t.Errorf("the first came at %v, not at %v", before, m.since)
	}
	if m := in.take(); !m.empty() {
		t.Errorf("taken twice: %v", m)
	}
	in.put(registry.Group{Name: "web", Since: before})
	in.put(registry.Group{Name: "web", Since: first})
	same(t, "since when what came may be so", before, in.take().groups["web"].Since)
	in.put(registry.Group{Name: "web"})
	same(t, "values that wake", 1, len(in.wake))
	if m := in.take(); len(m.groups) != 1 || m.since.Before(first) {
		t.Errorf("out came %v", m)
	}
}

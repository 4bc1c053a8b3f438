package hactl

import (
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestInbox(t *testing.T) {
	in := newInbox()
	if groups, _ := in.take(); len(groups) > 0 {
		t.Errorf("nothing was put in, out came %v", groups)
	}
	before := time.Now()
	in.put(registry.Group{Name: "web", Skipped: 1})
	first := time.Now()
	in.put(registry.Group{Name: "api", Skipped: 2})
	in.put(registry.Group{Name: "web", Skipped: 3})
	same(t, "values that wake", 1, len(in.wake))
	<-in.wake
	groups, since := in.take()
	same(t, "the last of each", map[string]registry.Group{"web": {Name: "web", Skipped: 3}, "api": {Name: "api", Skipped: 2}}, groups)
	if since.Before(before) || since.After(first) {
		t.Errorf("the first came at %v, not at %v", before, since)
	}
	if groups, _ := in.take(); len(groups) > 0 {
		t.Errorf("taken twice: %v", groups)
	}
	in.put(registry.Group{Name: "web"})
	same(t, "values that wake", 1, len(in.wake))
	if groups, since := in.take(); len(groups) != 1 || since.Before(first) {
		t.Errorf("out came %v of %v", groups, since)
	}
}

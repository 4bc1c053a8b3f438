package check

import (
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/plan"
)

func TestUnreachableGroupsAreReported(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*plan.Plan)
		instead string // replaces the template's use_backend lines
		want    bool
	}{
		"acls":       {change: func(pl *plan.Plan) { pl.Backends[0].ListenerPort = 0 }},
		"a listener": {change: func(pl *plan.Plan) { pl.Backends[0].ACLs = nil }},
		"the default backend": {change: func(pl *plan.Plan) {
			pl.Backends[0].ListenerPort, pl.Backends[0].ACLs, pl.Backends[0].Default = 0, nil, true
		}},
		"neither": {change: func(pl *plan.Plan) { pl.Backends[0].ListenerPort, pl.Backends[0].ACLs = 0, nil }, want: true},
		"a route": {change: func(pl *plan.Plan) {
			pl.Backends[0].ListenerPort, pl.Backends[0].ACLs, pl.Backends[0].Route = 0, nil, haproxy.RouteHost
		}, instead: "    mode http\n$use_backend"},
		"a route that nothing asks": {change: func(pl *plan.Plan) {
			pl.Backends[0].ListenerPort, pl.Backends[0].ACLs, pl.Backends[0].Route = 0, nil, haproxy.RouteHost
		}, instead: "    use_backend other if { path /a }", want: true},
		"the template's rule":       {change: func(pl *plan.Plan) { pl.Backends[0].ListenerPort, pl.Backends[0].ACLs = 0, nil }, instead: "    use_backend web-a if { path /a }"},
		"another's rule":            {change: func(pl *plan.Plan) { pl.Backends[0].ListenerPort, pl.Backends[0].ACLs = 0, nil }, instead: "    use_backend other if { path /a }", want: true},
		"a rule that may be anyone": {change: func(pl *plan.Plan) { pl.Backends[0].ListenerPort, pl.Backends[0].ACLs = 0, nil }, instead: "    use_backend %[req.hdr(x)]"},
	} {
		t.Run(name, func(t *testing.T) {
			template := strings.Replace(sampleTemplate, "$backend\n", "$default_backend\n$backend\n", 1)
			if test.instead != "" {
				template = strings.Replace(template, "$use_backend", test.instead, 1)
			}
			pl, _ := samplePlan(t, template, v26)
			test.change(pl)
			found := judgeReach("web", pl.Backends, pl.Render(), pl.Maps())
			if (len(found) > 0) != test.want {
				t.Errorf("found %v", found)
			}
			for _, f := range found {
				if f.Severity != isWarning || f.Where != "web.groups.web-a" || !strings.Contains(f.Remedy, "use_backend web-a") {
					t.Errorf("found %+v", f)
				}
			}
		})
	}
}

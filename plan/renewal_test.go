package plan

import (
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func TestClosingReasonsAreGivenOnceWithPlace(t *testing.T) {
	pl := planOf(t, func(p *config.Proxy) {
		p.Groups[0].Lines = []string{"http-reuse always"}
		p.Groups = append(p.Groups, config.Group{Name: "db", Path: "/db", Mode: "tcp"}, config.Group{Name: "other", Path: "/other", Mode: "http"})
		p.Discover = &config.Discovery{Parent: "/", Entry: config.Group{Mode: "http", Lines: []string{"http-response allow"}}}
	})
	if reasons := pl.ClosingReasons(); len(reasons) > 0 {
		t.Errorf("2.6: %q", reasons)
	}
	pl.Frame.Version = haproxy.Version{Major: 2}
	reasons := pl.ClosingReasons()
	if len(reasons) != 2 || !strings.HasPrefix(reasons[0], "web.groups.app.lines[0]: `http-reuse` ") || !strings.HasPrefix(reasons[1], "web.groups.*.lines[0]: `http-response allow` ") {
		t.Errorf("2.0: %q", reasons)
	}
	pl.Template = "/etc/haproxy.template"
	var err error
	if pl.Parsed, err = haproxy.ParseTemplate("global\n    maxconn 9\n$sockets\ndefaults\n    mode http\n    no option http-use-htx\n$backend\n"); err != nil {
		t.Fatal(err)
	}
	if reasons := pl.ClosingReasons(); len(reasons) != 1 || !strings.HasPrefix(reasons[0], "/etc/haproxy.template:6: without HTX ") {
		t.Errorf("of the template: %q", reasons)
	}
}

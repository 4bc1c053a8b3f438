package plan

import (
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func TestUnmeasuredReason(t *testing.T) {
	const socket = "/run/haproxy-zk/web.log.sock"
	template := func(global, defaults string) string {
		return "global\n    " + global + "\n$sockets\ndefaults\n    mode http\n    " + defaults + "\nfrontend f\n    bind *:80\n$backend\n"
	}
	for name, test := range map[string]struct {
		template string
		wanted   bool
		reason   string
	}{
		"not asked for":    {template("log 127.0.0.1 local0", "option httplog"), false, ""},
		"elsewhere":        {template("log 127.0.0.1 local0", "option httplog"), true, "does not log to " + socket},
		"not at all":       {template("maxconn 100", "option httplog"), true, "does not log to " + socket},
		"no requests":      {template("log "+socket+" local0", "log global"), true, "logs no requests"},
		"CLF":              {template("log "+socket+" local0", "log global\n    option httplog clf"), true, "logs no requests"},
		"http":             {template("log "+socket+" local0", "log global\n    option httplog"), true, ""},
		"tcp":              {template("log "+socket+" local0", "log global\n    option tcplog"), true, ""},
		"a format of ours": {template("log "+socket+" local0", "log global\n    log-format %ci:%cp"), true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := haproxy.ParseTemplate(test.template)
			if err != nil {
				t.Fatal(err)
			}
			for _, discovered := range []bool{false, true} {
				g := config.Group{Name: "a", Mode: "http", LatencyHistogram: test.wanted}
				pl := &Plan{Proxy: config.Proxy{Name: "web", Groups: []config.Group{g}}, Parsed: parsed, ownLogSocket: socket}
				if discovered {
					pl.Groups, pl.Discover = nil, &config.Discovery{Entry: g}
				}
				if parsed.Mentions(socket) {
					pl.LogSocket = socket
				}
				reason, remedy := pl.UnmeasuredReason()
				if !strings.Contains(reason, test.reason) || (reason == "") != (test.reason == "") || (remedy == "") != (reason == "") {
					t.Errorf("discovered %t: %q, %q", discovered, reason, remedy)
				}
			}
		})
	}
}

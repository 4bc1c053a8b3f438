package plan

import (
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

func TestServerTLSIsRendered(t *testing.T) {
	for want, tls := range map[string]*config.ServerTLS{
		"check weight 100":                                            nil,
		"check weight 100 ssl verify none":                            {},
		"check weight 100 ssl verify none sni str(a.b) check-sni a.b": {ServerName: "a.b"},
		"check weight 100 ssl verify required ca-file /ca.pem":        {CA: "/ca.pem"},
		"check weight 100 ssl verify required ca-file /ca.pem crt /own.pem sni str(a.b) check-sni a.b verifyhost a.b": {CA: "/ca.pem", Cert: "/own.pem", ServerName: "a.b"},
	} {
		b, err := NewBackend(config.Group{
			Name: "web", ServerTemplate: "${group_name} 1-${max_server} ${ip_port} check disabled", MaxServer: 2, TLS: tls, Decoding: decode.Options{Format: decode.Curator},
		})
		if got := strings.Join(b.Servers.Params, " "); err != nil || got != want {
			t.Errorf("%v: got %s, want %s", err, got, want)
		}
		if tls == nil {
			continue
		}
		b.Carry = haproxy.CarryAuto
		template, err := haproxy.Builtin{Mode: "http", Version: haproxy.Version{Major: 3, Minor: 2}}.Template()
		if err != nil {
			t.Fatal(err)
		}
		if way, reason := template.Carries(b, haproxy.Version{Major: 3, Minor: 2}); way != haproxy.CarrySlots || !strings.Contains(reason, "ssl") {
			t.Errorf("carried by %s: %q", way, reason)
		}
	}
}

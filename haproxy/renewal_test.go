package haproxy

import (
	"strconv"
	"strings"
	"testing"
)

// Where kept clients renew their connections, slots are reused without `option
// http-server-close`; where the template prevents that, a note says why.
func TestKeptClientsRenewUnlessTemplatePreventsIt(t *testing.T) {
	v20, v22 := Version{2, 0, "2.0.0"}, Version{2, 2, "2.2.9"}
	closing, keeping := new(true), new(false)
	for _, test := range []struct {
		name               string
		version            Version
		defaults, frontend string // additional lines
		change             func(*Backend)
		renews, closes     bool
		at, says           string // of the note; empty if there is none
	}{
		{name: "2.0", version: v20, renews: true},
		{name: "2.2", version: v22},
		{name: "3.0, connections not shared", version: Version{3, 0, "3.0.11"}, defaults: "http-reuse never"},
		{name: "2.2, connections not shared", version: v22, defaults: "http-reuse never", renews: true},
		{name: "2.2, and the PROXY protocol", version: v22, change: func(b *Backend) { b.Servers.Params = []string{"check", "send-proxy-v2"} }, renews: true},
		{name: "2.2, and a name for TLS", version: v22, change: func(b *Backend) { b.Servers.Params = []string{"ssl", "sni", "str(a)"} }, renews: true},
		{name: "2.2, and TLS without a name", version: v22, change: func(b *Backend) { b.Servers.Params = []string{"ssl", "verify", "none"} }},
		{name: "2.6, the PROXY protocol and a name for TLS", version: Version{2, 6, "2.6.12"}, change: func(b *Backend) { b.Servers.Params = []string{"send-proxy", "ssl", "sni", "str(a)"} }},
		{name: "2.2, and default-server", version: v22, defaults: "default-server send-proxy", renews: true},
		{name: "3.0.0, connections not shared", version: Version{3, 0, "3.0.0"}, defaults: "http-reuse never", renews: true},
		{name: "2.2, and a listener of HTTP/2", version: v22, defaults: "http-reuse never", frontend: "bind :443 ssl crt x alpn h2,http/1.1", closes: true, at: "12", says: "HTTP/2"},
		{name: "tcp", version: v20, change: func(b *Backend) { b.Mode = "tcp" }},
		{name: "server_close is true", version: v20, change: func(b *Backend) { b.ServerClose = closing }, closes: true},
		{name: "server_close is true, 2.2", version: v22, change: func(b *Backend) { b.ServerClose = closing }, closes: true},
		{name: "server_close is false", version: v20, change: func(b *Backend) { b.ServerClose = keeping }, renews: true},
		{name: "server_close is false, and connections are shared", version: v20, defaults: "http-reuse always", change: func(b *Backend) { b.ServerClose = keeping }},
		{name: "the template closes", version: v20, defaults: "option http-server-close"},
		{name: "the template closes both", version: v20, defaults: "option httpclose"},
		{name: "the group does not", version: v20, defaults: "option httpclose", change: func(b *Backend) { b.Lines = []string{"no option httpclose"} }, renews: true},
		{name: "the group keeps", version: v20, defaults: "option http-server-close", change: func(b *Backend) { b.Lines = []string{"option http-keep-alive"} }, renews: true},
		{name: "connections are shared", version: v20, defaults: "http-reuse always", closes: true, at: "9", says: "hands the connections"},
		{name: "by the group", version: v20, change: func(b *Backend) { b.Lines = []string{"http-reuse aggressive"} }, closes: true, at: "lines[0]", says: "hands the connections"},
		{name: "not shared", version: v20, defaults: "http-reuse never", renews: true},
		{name: "a rule skips ours", version: v20, change: func(b *Backend) { b.Lines = []string{"http-response allow if TRUE"} }, closes: true, at: "lines[0]", says: "skips the rule"},
		{name: "HTTP/2", version: v20, frontend: "bind :443 ssl crt x alpn h2,http/1.1", closes: true, at: "12", says: "HTTP/2"},
		{name: "HTTP/2 in clear text", version: v20, frontend: "bind :81 proto h2", closes: true, at: "12", says: "HTTP/2"},
		{name: "without HTX", version: v20, defaults: "no option http-use-htx", closes: true, at: "9", says: "HTX"},
		{name: "mode of the environment", version: v20, frontend: `mode "${MODE}"`, closes: true, at: "12", says: "not written out"},
		{name: "mode tcp", version: v20, frontend: "mode tcp", closes: true, at: "10", says: "mode tcp"},
		{name: "two stick counters", version: v20, frontend: "tcp-request connection track-sc2 src\n    http-request track-sc0 src", renews: true},
		{name: "three stick counters", version: v20, frontend: "tcp-request connection track-sc0 src\n    http-request track-sc1 src\n    http-request track-sc2 src", closes: true, at: "14", says: "all three"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := Backend{Name: "web", Mode: "http", Servers: ServerTemplate{Prefix: "web", First: 1, Last: 2, Free: "0.0.0.0:0"}}
			if test.change != nil {
				test.change(&b)
			}
			template := parsed(t, "global\n    maxconn 100\n$sockets\ndefaults\n    mode http\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\n    "+
				test.defaults+"\nfrontend public\n    bind :80\n    "+test.frontend+"\n$default_backend\n$backend\n")
			f := Frame{Version: test.version, Lines: b.Lines}
			text := string(template.Render(f, []Backend{b}, [][]Row{make([]Row, 2)}))
			if renews := template.Renews(f)(b); renews != test.renews || strings.Contains(text, "backend "+clientsTable) != test.renews || strings.Contains(text, "track-sc") != (test.renews || strings.Contains(test.frontend, "track-sc")) {
				t.Errorf("renews: %t\n%s", renews, text)
			}
			if closes := strings.Count(text, "    option http-server-close") > strings.Count(test.defaults, "option http-server-close"); closes != test.closes {
				t.Errorf("closes: %t\n%s", closes, text)
			}
			checkNote(t, template.RenewalTraps(f, b), test.at, test.says)
		})
	}
}

func checkNote(t *testing.T, traps []GroupTrap, at, says string) {
	t.Helper()
	if says == "" {
		if len(traps) > 0 {
			t.Errorf("notes: %+v", traps)
		}
		return
	}
	if len(traps) != 1 || !traps[0].Note || traps[0].Remedy == "" || !strings.Contains(traps[0].Text, says) {
		t.Fatalf("notes: %+v", traps)
	}
	place := traps[0].Key
	if traps[0].Line > 0 {
		place = strconv.Itoa(traps[0].Line)
	}
	if place != at {
		t.Errorf("at %s: %+v", place, traps[0])
	}
}

// The stick counter of the groups' own lines stays theirs.
func TestClientsAreTrackedByUnusedStickCounter(t *testing.T) {
	template := parsed(t, "global\n    maxconn 100\n$sockets\ndefaults\n    mode http\nfrontend public\n    bind :80\n    http-request track-sc0 src table t\n$default_backend\n$backend\nlisten page\n    bind :81\n    stats enable\n")
	f := Frame{Version: Version{2, 0, "2.0.0"}, Lines: []string{"http-request track-sc2 src table t"}}
	text := string(template.Render(f, []Backend{{Name: "web", Mode: "http", Lines: f.Lines, ListenerPort: 90}}, make([][]Row, 1)))
	if strings.Count(text, "tcp-request connection track-sc1 int(0)") != 2 || strings.Count(text, "if { sc1_get_gpt0 gt 0 }") != 2 {
		t.Errorf("the frontends that forward requests do not track clients by the second counter:\n%s", text)
	}
}

func TestGroupCannotHaveNameOfTheTable(t *testing.T) {
	template := parsed(t, "global\n$sockets\n$backend\n")
	err := template.Validate(Frame{Version: v26}, []Backend{{Name: clientsTable}})
	if err == nil || !strings.Contains(err.Error(), "has the name of a table") {
		t.Errorf("%v", err)
	}
}

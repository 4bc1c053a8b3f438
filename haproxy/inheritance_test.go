package haproxy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var v20, v22, v26, v34 = Version{2, 0, "2.0.35"}, Version{2, 2, "2.2.9"}, Version{2, 6, "2.6.12"}, Version{3, 4, "3.4.0"}

// renderText renders a template with groups of which only the first slot is occupied.
func renderText(t *testing.T, text string, v Version, backends ...Backend) string {
	t.Helper()
	template := parsed(t, text)
	var rows [][]Row
	for i := range backends {
		if backends[i].Servers.Prefix == "" {
			servers, err := ParseServerTemplate(DefaultServerTemplate, backends[i].Name, 2)
			if err != nil {
				t.Fatal(err)
			}
			backends[i].Servers = servers
		}
		rows = append(rows, make([]Row, 2))
	}
	if len(rows) > 0 {
		rows[0][0].Addr = netip.MustParseAddrPort("10.0.0.1:80")
	}
	return string(template.Render(Frame{Version: v, Sockets: []string{"/s"}, PIDFile: "/p", ListenerPort: 80, AdminPort: 81}, backends, rows))
}

// sectionOf returns the lines of a rendered section without indentation.
func sectionOf(t *testing.T, rendered, opening string) []string {
	t.Helper()
	_, rest, found := strings.Cut("\n"+rendered, "\n"+opening+"\n")
	if !found {
		t.Fatalf("no section %q in\n%s", opening, rendered)
	}
	var lines []string
	for line := range strings.Lines(rest) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if OpensSection(words[0]) {
			break
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

func expectLines(t *testing.T, lines []string, has, lacks []string) {
	t.Helper()
	for _, want := range has {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in %q", want, lines)
		}
	}
	for _, line := range lacks {
		if slices.Contains(lines, line) {
			t.Errorf("line %q in %q", line, lines)
		}
	}
}

const twoFrontends = `global
$sockets
defaults
    mode http
    timeout connect 5s
frontend plain
    bind :80
$acl   # comment
$use_backend$default_backend
frontend tls
    bind :443
    http-request set-header X-Forwarded-Proto https
    ${acl}
$use_backend
$default_backend
listen admin
    stats enable
frontend raw
    mode tcp
    bind :90
frontend said
    no option idle-close-on-response
    bind :91
$backend
`

func TestEveryHTTPSectionKeepsIdleConnectionsOnReload(t *testing.T) {
	const option = "option idle-close-on-response"
	web := Backend{Name: "web", Mode: "http", ListenerPort: 8081}
	redis := Backend{Name: "redis", Mode: "tcp", ListenerPort: 6379}
	text := renderText(t, twoFrontends, v34, web, redis)
	for _, opening := range []string{"frontend plain", "frontend tls", "listen admin", "frontend web.listener"} {
		expectLines(t, sectionOf(t, text, opening), []string{option}, nil)
	}
	for _, opening := range []string{"frontend raw", "frontend said", "frontend redis.listener", "backend web", "backend redis"} {
		expectLines(t, sectionOf(t, text, opening), nil, []string{option})
	}
	if text := renderText(t, twoFrontends, v22, web, redis); strings.Count(text, option) != 1 {
		t.Errorf("HAProxy 2.2 does not know the option:\n%s", text)
	}
	if text := renderText(t, strings.Replace(twoFrontends, "mode http", "mode http\n    "+option, 1), v34, web); strings.Count(text, option) != 2 {
		t.Errorf("what the template says in its defaults is said again:\n%s", text)
	}
}

func TestRulesAreRenderedInEveryFrontendWithPlaceholders(t *testing.T) {
	web := Backend{Name: "web", Mode: "http", ACLs: []string{"path_beg /web"}}
	other := Backend{Name: "other", Mode: "http", Default: true}
	text := renderText(t, twoFrontends, v20, web, other)
	for _, opening := range []string{"frontend plain", "frontend tls"} {
		expectLines(t, sectionOf(t, text, opening), []string{"acl web path_beg /web", "use_backend web if web", "default_backend other"}, nil)
	}
}

func TestSectionWithoutModeIsTCP(t *testing.T) {
	const template = "global\n$sockets\ndefaults\n    timeout connect 5s\nfrontend mysql\n    bind :3306\n$default_backend\n$backend\n"
	text := renderText(t, template, v34, Backend{Name: "db", Mode: "tcp", Default: true})
	if strings.Contains(text, "idle-close") {
		t.Error(text)
	}
	for _, trap := range parsed(t, template).Traps(v34) {
		if strings.Contains(trap.Text, "keep-alive") {
			t.Errorf("%+v", trap)
		}
	}
}

func TestBackendsInheritFromDefaultsByName(t *testing.T) {
	const template = "global\n$sockets\ndefaults web\n    mode http\nfrontend f from web\n    bind :80\n$backend\n"
	group := Backend{Name: "shop", Mode: "http", ListenerPort: 90}
	text := renderText(t, template, v26, group)
	sectionOf(t, text, "backend shop from web")
	sectionOf(t, text, "frontend shop.listener from web")
	sectionOf(t, renderText(t, strings.Replace(template, " from web", "", 1), v22, group), "backend shop")
}

func TestTCPGroupsDoNotInheritHTTPSettings(t *testing.T) {
	const template = `global
$sockets
defaults
    mode http
    log global
    log-format "%ci %ST %r"
    option forwardfor
    option httpchk GET /alive
    balance uri
    timeout connect 7s
frontend public
    bind :$listener_port
$default_backend
$backend
listen admin
    bind :81
    stats enable
`
	web := Backend{Name: "web", Mode: "http", Default: true}
	redis := Backend{Name: "redis", Mode: "tcp", ListenerPort: 6379}
	for _, v := range []Version{v20, v26, v34} {
		text := renderText(t, template, v, redis, web)
		before, after, found := strings.Cut(text, "\ndefaults\n    log global\n")
		if !found {
			t.Fatalf("no defaults for mode tcp:\n%s", text)
		}
		if !strings.Contains(before, "backend web\n") || strings.Contains(before, "backend redis\n") {
			t.Errorf("web stands before the defaults for mode tcp, redis behind:\n%s", text)
		}
		tcp, again, found := strings.Cut(after, "\ndefaults\n")
		if !found || !strings.Contains(again, "option forwardfor") || !strings.Contains(again, "listen admin") {
			t.Errorf("the section behind lost its defaults:\n%s", text)
		}
		expectLines(t, sectionOf(t, "defaults\n"+tcp, "defaults"),
			[]string{"option httpchk GET /alive", "timeout connect 7s", "mode tcp", "option tcplog"},
			[]string{"mode http", "option forwardfor", "balance uri"})
		expectLines(t, sectionOf(t, text, "backend redis"), []string{"balance roundrobin"}, nil)
		expectLines(t, sectionOf(t, text, "backend web"), nil, []string{"balance roundrobin"})
	}
}

func TestTCPGroupsStayInOrderWithoutHTTPDefaults(t *testing.T) {
	const template = "global\n$sockets\ndefaults\n    mode http\n    log-format %ci\n    balance leastconn\n$backend\n"
	text := renderText(t, template, v26, Backend{Name: "redis", Mode: "tcp"}, Backend{Name: "web", Mode: "http"})
	if strings.Count(text, "defaults") != 1 || strings.Index(text, "backend redis") > strings.Index(text, "backend web") {
		t.Error(text)
	}
	if strings.Contains(text, "balance roundrobin") {
		t.Errorf("a default of ours overrules the template's:\n%s", text)
	}
}

func TestGroupBalanceOverridesTemplate(t *testing.T) {
	const template = "global\n$sockets\ndefaults\n    balance leastconn\n$backend\n"
	text := renderText(t, template, v26, Backend{Name: "web", Mode: "http", Balance: "first"})
	expectLines(t, sectionOf(t, text, "backend web"), []string{"balance first"}, nil)
}

func TestInheritedChecksAreRepeatedAfterHTTPCheck(t *testing.T) {
	const template = "global\n$sockets\ndefaults\n    mode http\n    http-check send hdr Host www.example.com\n    http-check expect status 200-299\n$backend\n"
	web := Backend{Name: "web", Mode: "http", HTTPCheck: "GET /probe HTTP/1.1"}
	lines := sectionOf(t, renderText(t, template, v26, web), "backend web")
	expectLines(t, lines, []string{"option httpchk GET /probe HTTP/1.1", "http-check send hdr Host www.example.com", "http-check expect status 200-299"}, nil)
	if slices.Index(lines, "option httpchk GET /probe HTTP/1.1") > slices.Index(lines, "http-check expect status 200-299") {
		t.Errorf("the rules stand before what makes HAProxy forget them: %q", lines)
	}
	expectLines(t, sectionOf(t, renderText(t, template, v20, web), "backend web"), nil, []string{"http-check expect status 200-299"})
	web.Lines = []string{"http-check expect status 204"}
	expectLines(t, sectionOf(t, renderText(t, template, v26, web), "backend web"), []string{"http-check expect status 204"}, []string{"http-check expect status 200-299"})
}

func TestHTTPCheckHeadersForEveryVersion(t *testing.T) {
	const template = "global\n$sockets\ndefaults\n    mode http\n    http-check expect status 200\n$backend\n"
	rendered := func(template string, v Version, check string, lines ...string) []string {
		return sectionOf(t, renderText(t, template, v, Backend{Name: "web", Mode: "http", HTTPCheck: check, Lines: lines}), "backend web")
	}
	const check = `GET /a\ b HTTP/1.1\r\nHost:\ it\'s.example.com\r\nX-Share:\ 5%`
	expectLines(t, rendered(template, v20, check), []string{"option httpchk " + check}, nil)
	lines := rendered(template, v26, check)
	expectLines(t, lines, []string{`option httpchk GET /a\ b HTTP/1.1`, `http-check send hdr Host 'it'\''s.example.com' hdr X-Share '5%%'`, "http-check expect status 200"}, nil)
	for _, odd := range []string{`GET /x HTTP/1.1\r\nno\ header`, `GET /x HTTP/1.1\r\nHost:\ x\r\n\r\nbody`, "GET /x", `HTTP/1.1\r\nHost:\ x`, `GET /x HTTP/1.1\r\n:\ x`} {
		lines := rendered(template, v26, odd)
		expectLines(t, lines, []string{"option httpchk " + odd}, nil)
		if sent := slices.IndexFunc(lines, func(line string) bool { return begins(splitWords(line), "http-check send") }); sent >= 0 {
			t.Errorf("%s: %s", odd, lines[sent])
		}
	}
	send := "http-check send hdr Host other.example.com"
	expectLines(t, rendered(template, v26, check, send), []string{"option httpchk " + check, send}, nil)
	inherited := "global\n$sockets\ndefaults\n    mode http\n    " + send + "\n$backend\n"
	expectLines(t, rendered(inherited, v26, check), []string{"option httpchk " + check, send}, nil)
}

func TestInstanceIsEnabledDespiteDefaultServerDisabled(t *testing.T) {
	for _, test := range []struct {
		defaults string
		lines    []string
		want     bool
	}{
		{"default-server inter 2s disabled", nil, true},
		{"default-server disabled enabled", nil, false},
		{"default-server inter 2s", nil, false},
		{"", []string{"default-server disabled"}, true},
	} {
		text := renderText(t, "global\n$sockets\ndefaults\n    "+test.defaults+"\n$backend\n", v20, Backend{Name: "web", Mode: "http", Lines: test.lines})
		if got := strings.Contains(text, "fall 2 enabled\n"); got != test.want {
			t.Errorf("%+v:\n%s", test, text)
		}
	}
}

func TestGroupLinesPrecedeServers(t *testing.T) {
	web := Backend{Name: "web", Mode: "http", Lines: []string{"timeout server 5m", "http-request set-header X-Port $listener_port"}}
	lines := sectionOf(t, renderText(t, "global\n$sockets\n$backend\n", v26, web), "backend web")
	at := slices.Index(lines, "timeout server 5m")
	if at < 0 || at+1 >= len(lines) || lines[at+1] != "http-request set-header X-Port 80" || !strings.HasPrefix(lines[at+2], "server web1 ") {
		t.Errorf("%q", lines)
	}
}

func TestNumberedACLNamesOfPythonDaemon(t *testing.T) {
	const template = "global\n$sockets\ndefaults\n    mode http\nfrontend public\n$acl\n    http-request deny if orders2 !{ src 10.0.0.0/8 }\n    http-request set-header X y if !shop1\n$use_backend\n$backend\n"
	orders := Backend{Name: "orders", Mode: "http", ACLs: []string{"path_beg /orders", "path_beg /admin"}}
	shop := Backend{Name: "shop", Mode: "http", ACLs: []string{"path_beg /shop"}}
	lines := sectionOf(t, renderText(t, template, v20, orders, shop), "frontend public")
	expectLines(t, lines, []string{"acl orders2 path_beg /admin", "acl shop1 path_beg /shop", "acl orders path_beg /admin"}, []string{"acl orders1 path_beg /orders"})
	// A group of that name has the ACL for itself.
	shop.Name = "orders2"
	expectLines(t, sectionOf(t, renderText(t, template, v20, orders, shop), "frontend public"), []string{"acl orders2 path_beg /shop"}, []string{"acl orders2 path_beg /admin"})
}

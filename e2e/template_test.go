package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	frameOfTemplate = "global\n    maxconn 100\n$sockets\n"
	timeouts        = "    option redispatch\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n    timeout http-keep-alive 5s\n"
	publicFrontend  = "frontend public\n    bind 127.0.0.1:$listener_port\n$acl\n$use_backend\n$default_backend\n"
)

// httpTemplate returns a template that HAProxy accepts without warnings, with more
// defaults.
func httpTemplate(defaults string) string {
	return frameOfTemplate + "defaults\n    mode http\n" + timeouts + defaults + publicFrontend + "$backend\n"
}

// TestRealWorldTemplates has the kinds of templates found in practice: check reports
// nothing about correct ones, and place and remedy for others.
func TestRealWorldTemplates(t *testing.T) {
	t.Parallel()
	shop := rig.Group{Name: "shop", DefaultBackend: true}
	redis := rig.Group{Name: "redis", Mode: "tcp", Extra: map[string]any{"listener_port": "PORT"}}
	extra := func(keys map[string]any) rig.Group { return rig.Group{Name: "shop", DefaultBackend: true, Extra: keys} }
	for _, test := range []struct {
		name     string
		template string
		groups   []rig.Group
		from     int // HAProxy's version, 206 for 2.6; 0 means any
		says     []string
	}{
		{"plain", httpTemplate(""), []rig.Group{shop}, 0, nil},
		{
			"rules in two frontends, with comments",
			frameOfTemplate + "defaults\n    mode http\n" + timeouts + publicFrontend +
				"frontend other\n    bind 127.0.0.1:$admin_port\n    $acl   # comment\n$use_backend$default_backend\n$backend # all\n",
			[]rig.Group{{Name: "orders", ACLs: []string{"path_beg /orders"}}, shop},
			0, nil,
		},
		{
			"a named defaults that frontends name",
			frameOfTemplate + "defaults web\n    mode http\n" + timeouts + "frontend public from web\n    bind 127.0.0.1:$listener_port\n$acl\n$use_backend\n$default_backend\n$backend\n",
			[]rig.Group{shop},
			204, nil,
		},
		{
			"tcp without a mode line",
			frameOfTemplate + "defaults\n    option redispatch\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\nfrontend mysql\n    bind 127.0.0.1:$listener_port\n$default_backend\n$backend\n",
			[]rig.Group{{Name: "db", Mode: "tcp", DefaultBackend: true}},
			0, nil,
		},
		{"tcp under an http log format", httpTemplate("    log 127.0.0.1 local0\n    log-format \"%ci %tr %ST %r\"\n"), []rig.Group{redis, shop}, 0, nil},
		{"tcp under httplog and forwardfor", httpTemplate("    log 127.0.0.1 local0\n    option httplog\n    option forwardfor\n"), []rig.Group{redis, shop}, 0, nil},
		{"tcp under zero-warning", strings.Replace(httpTemplate("    log 127.0.0.1 local0\n    option httplog\n"), "global\n", "global\n    zero-warning\n", 1), []rig.Group{redis, shop}, 202, nil},
		{
			"ACL names of the original",
			frameOfTemplate + "defaults\n    mode http\n" + timeouts +
				"frontend public\n    bind 127.0.0.1:$listener_port\n$acl\n    http-request set-header X-App orders if orders1\n    http-request deny if orders2 !{ src 10.0.0.0/8 }\n$use_backend\n$default_backend\n$backend\n",
			[]rig.Group{{Name: "orders", ACLs: []string{"path_beg /orders", "path_beg /admin"}}, shop},
			0, nil,
		},
		{
			"a route of every kind",
			httpTemplate(""),
			[]rig.Group{
				{Name: "orders", Extra: map[string]any{"route": "path"}},
				{Name: "static.example.com", Extra: map[string]any{"route": "host"}},
				{Name: "api.example.com_v1", Extra: map[string]any{"route": "host+path"}},
				{Name: "blue", Extra: map[string]any{"route": "header:X-App"}},
				shop,
			},
			0, nil,
		},
		{"a balance of the defaults", httpTemplate("    balance leastconn\n"), []rig.Group{shop}, 0, nil},
		{"a group's own lines", httpTemplate(""), []rig.Group{extra(map[string]any{"lines": []string{"timeout server 5m", "stick-table type ip size 1k peers mates", "http-request set-header X-App ${group}"}})}, 0, []string{"mates"}},
		{"a cookie for all", httpTemplate("    cookie SRV insert\n"), []rig.Group{extra(map[string]any{"server-template": "shop 1-3 0.0.0.0:0 check cookie shop disabled"})}, 0, []string{"shop.server-template: every slot has the same cookie value"}},
		{"a cookie for none", httpTemplate("    cookie SRV insert\n"), []rig.Group{shop}, 0, []string{"template:11: no slot has a cookie value"}},
		{"a cookie for each", httpTemplate("    cookie SRV insert dynamic\n    dynamic-cookie-key secret\n"), []rig.Group{shop}, 0, nil},
		{"sessions that are cut", httpTemplate("    default-server on-marked-down shutdown-sessions\n"), []rig.Group{shop}, 0, []string{"template:11: `on-marked-down shutdown-sessions` cuts"}},
		{"sessions that drain", httpTemplate("    default-server on-marked-down shutdown-sessions\n"), []rig.Group{extra(map[string]any{"drain_timeout": "30s"})}, 0, nil},
		{"conditions in one entry", httpTemplate(""), []rig.Group{{Name: "shop", ACLs: []string{"path_beg /a || path_beg /b"}}}, 0, []string{"acls[0]: HAProxy takes \"||\""}},
		{"a table that is emptied", httpTemplate(""), []rig.Group{extra(map[string]any{"lines": []string{"stick-table type ip size 1k", "stick on src"}})}, 0, []string{"shop.lines[0]: every reload empties"}},
		{"a byte order mark", "\uFEFF" + httpTemplate(""), []rig.Group{shop}, 0, []string{"template:1: the file begins with a byte order mark"}},
		{
			"a frontend and a backend of one name", // places in HAProxy's messages are those of the template, too
			strings.Replace(httpTemplate(""), "$backend\n", "backend public\n$backend\n", 1),
			[]rig.Group{shop},
			302,
			[]string{"template:16: `backend public` has the name of `frontend public` on line 11", "(HAProxy: \"backend 'public' has the same name as frontend 'public' declared at line 11", "rename the frontend"},
		},
		{
			"mails without Lua",
			strings.Replace(httpTemplate("    email-alert mailers m\n    email-alert from a@example.com\n    email-alert to b@example.com\n"), "$backend\n", "$backend\nmailers m\n    mailer a 127.0.0.1:25\n", 1),
			[]rig.Group{shop},
			302,
			[]string{"template:11: ", "send no mails without a Lua script"},
		},
		{
			"a program",
			httpTemplate("") + "program p\n    command /bin/true\n",
			[]rig.Group{shop},
			0,
			[]string{"template:17: a `program` section needs the master-worker mode"},
		},
		{
			"slow starts and errors that are seen", // HAProxy does these on its own
			httpTemplate("    default-server slowstart 10s observe layer7 error-limit 3 on-error mark-down\n"),
			[]rig.Group{shop},
			0, nil,
		},
		{
			"an argument that an unset variable leaves empty",
			strings.Replace(httpTemplate(""), "global\n", "global\n    log stdout format raw daemon \"${ACCESS_LEVEL}\"\n", 1),
			[]rig.Group{shop},
			303,
			[]string{"template:2: the log is lost", "template:2: HAProxy: ", "set ACCESS_LEVEL in the environment"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
				if h.Major*100+h.Minor < test.from {
					return
				}
				s := newStage(t, h, func(c *rig.SeedConfig) {
					c.Workers, c.Template, c.Groups = 1, test.template, nil
					for _, g := range test.groups {
						if g.Extra["listener_port"] == "PORT" {
							g.Extra = map[string]any{"listener_port": freePort(t)}
						}
						c.Groups = append(c.Groups, g)
					}
				})
				file, err := s.config.Write(s.home)
				if err != nil {
					t.Fatal(err)
				}
				_, findings := s.findings(file)
				var said []string
				for _, f := range findings {
					if f.Severity == "note" || strings.Contains(f.Text, "open files") {
						continue // specific to the version or to this machine
					}
					where := strings.TrimPrefix(f.Where, "ngboss.groups.")
					if f.Line > 0 {
						where = fmt.Sprintf("%s:%d", where, f.Line)
					}
					said = append(said, where+": "+f.Text+" / "+f.Remedy)
				}
				all := strings.Join(said, "\n")
				if len(test.says) == 0 && len(said) > 0 {
					t.Errorf("it is right, and draws:\n%s", all)
				}
				for _, says := range test.says {
					if !strings.Contains(all, says) {
						t.Errorf("no finding says %q:\n%s", says, all)
					}
				}
			})
		})
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := rig.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A group's own listener and every other http frontend keep their clients' connections
// on a reload, as the first one does.
func TestEveryListenerKeepsItsConnectionsAtReloads(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		own, second := freePort(t), freePort(t)
		s := newStage(t, h, func(c *rig.SeedConfig) {
			c.Template = frameOfTemplate + "    nbproc $nbproc\ndefaults\n    mode http\n" + timeouts + publicFrontend +
				fmt.Sprintf("frontend second\n    bind 127.0.0.1:%d\n    default_backend web-ngboss\n$backend\n", second)
			c.Groups[0].Extra = map[string]any{"listener_port": own}
		})
		s.connect()
		s.start()
		s.ready()
		s.serves(front, s.app(front), s.app(front))
		for _, port := range []int{s.config.ListenerPort, own, second} {
			load, err := rig.NewLoad(rig.LoadOptions{Addr: fmt.Sprintf("127.0.0.1:%d", port), Targets: []rig.Target{{Path: "/", App: front}}, KeepAlive: 4, Rate: 200})
			if err != nil {
				t.Fatal(err)
			}
			load.Start(t.Context())
			for range reloads() / 2 {
				before := s.pids()
				s.signal(syscall.SIGUSR2)
				s.renewed(before)
			}
			s.lost(load)
		}
		s.stopped()
	})
}

// default-server … disabled is common in handwritten slot lists.
func TestInstancesServeDespiteDefaultServerDisabled(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) {
			c.Workers, c.Template = 1, httpTemplate("    default-server inter 1s disabled\n")
		})
		s.connect()
		apps := []*rig.App{s.app(front), s.app(front)}
		s.start()
		s.ready()
		s.served(front, apps...)
		before := s.pids()
		s.signal(syscall.SIGUSR2)
		s.renewed(before)
		s.served(front, apps...)
		if code, body := s.get("/readyz"); code != 200 || strings.Contains(body, "operator") {
			t.Errorf("a state is reported that was not set: %d %s", code, body)
		}
		s.stopped()
	})
}

// run rejects a literal number of processes without as many sockets, with check's text,
// and the remedy keeps the processes.
func TestLiteralProcessesNeedASocketEach(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		if !h.Nbproc {
			return
		}
		template := func(n string) string {
			return strings.Replace(httpTemplate(""), "global\n", "global\n    nbproc "+n+"\n", 1)
		}
		s := newStage(t, h, func(c *rig.SeedConfig) { c.Workers, c.Template = 1, template("4") })
		s.start()
		s.exits(2)
		const says = "4 processes and 1 socket file: "
		if !strings.Contains(s.daemon.Output(), says) {
			t.Errorf("run does not say %q:\n%s", says, s.daemon.Output())
		}
		file, err := s.config.Write(s.home)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.check(file); got.code != 2 || !strings.Contains(got.stdout, says) {
			t.Errorf("check: %+v", got)
		}
		s.config.Workers, s.config.Template = 4, template("$nbproc")
		s.connect()
		s.start()
		s.ready()
		if pids := s.pids(); len(pids) != 4 {
			t.Errorf("processes %v", pids)
		}
		s.stopped()
	})
}

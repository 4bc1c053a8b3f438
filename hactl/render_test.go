package hactl

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

var update = flag.Bool("update", false, "write the goldens")

func compareGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(golden(t, file), string(got)); diff != "" {
		t.Errorf("%s: -want +got\n%s", file, diff)
	}
}

// seedShape is the seed's example: two groups, one of them behind ACLs.
func seedShape(t *testing.T, sockets int) (Frame, []Backend, []*Table) {
	t.Helper()
	f := Frame{PIDFile: "/home/app/logs/haproxy.pid", ListenerPort: 8080, AdminPort: 20001}
	for i := range sockets {
		f.Sockets = append(f.Sockets, "/home/app/logs/haproxy.socket"+string(rune('1'+i)))
	}
	servers := func(group string, n int) ServerTemplate {
		s, err := ParseServerTemplate(DefaultServerTemplate, group, n)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	backends := []Backend{
		{Name: "web-ngboss", Mode: "http", Balance: "roundrobin", HTTPCheck: "GET /probe.jsp", Default: true, Servers: servers("web-ngboss", 10)},
		{Name: "web-basecentre", Mode: "http", Balance: "roundrobin", HTTPCheck: "GET /basecentre/probe.jsp", ServerClose: true, ACLs: []string{"path_beg -i /basecentre", "path_beg -i /testcentre"}, Servers: servers("web-basecentre", 4)},
	}
	tables := []*Table{NewTable(10, false), NewTable(4, false)}
	tables[0].Assign(instances(1, 2))
	tables[0].Assign(instances(1, 2, 3))
	tables[0].Assign(instances(1, 3))
	tables[1].Assign([]registry.Instance{{Addr: netip.MustParseAddrPort("[fd00::1]:8080")}, {Addr: netip.MustParseAddrPort("10.0.0.9:8080")}})
	tables[1].Slots[0].Down = true
	tables[1].Slots[1].Operator = Drain
	return f, backends, tables
}

func TestRenderSeedTemplateForEveryVersion(t *testing.T) {
	template, err := ParseTemplate(golden(t, "testdata/seed.template"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		version Version
		sockets int
	}{
		"2.0-two-processes": {Version{Major: 2, Minor: 0}, 2},
		"2.2-one-process":   {Version{Major: 2, Minor: 2}, 1},
		"2.6-two-threads":   {Version{Major: 2, Minor: 6}, 2},
		"3.0-one-thread":    {Version{Major: 3, Minor: 0}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f, backends, tables := seedShape(t, test.sockets)
			f.Version = test.version
			if err := template.Validate(f, backends); err != nil {
				t.Fatal(err)
			}
			compareGolden(t, filepath.Join("testdata", "render", name+".cfg"), template.Render(f, backends, tables))
		})
	}
}

func TestBuiltinTemplates(t *testing.T) {
	for mode, b := range map[string]Builtin{
		"http": {Mode: "http", Version: Version{Major: 2}, LogSocket: "/run/log.sock", User: "admin", Password: `p#$acl "\' x`},
		"tcp":  {Mode: "tcp", Version: Version{Major: 2, Minor: 6}},
	} {
		template, err := ParseTemplate(b.Text())
		if err != nil {
			t.Fatal(err)
		}
		f, backends, tables := seedShape(t, 1)
		f.Version = b.Version
		if mode == "tcp" {
			backends, tables = backends[:1], tables[:1]
			backends[0].Mode, backends[0].HTTPCheck = "tcp", ""
		}
		compareGolden(t, filepath.Join("testdata", "render", "builtin-"+mode+".cfg"), template.Render(f, backends, tables))
	}
}

func TestStatsMaxconnOfTheTemplateStays(t *testing.T) {
	template, err := ParseTemplate("global\n    $sockets\n    stats maxconn 30\nfrontend web\n    stats auth a:maxconn\n$backend")
	if err != nil {
		t.Fatal(err)
	}
	f, backends, tables := seedShape(t, 1)
	text := string(template.Render(f, backends, tables))
	if strings.Count(text, "stats maxconn") != 1 || !strings.Contains(text, "    stats maxconn 30\n") {
		t.Error(text)
	}
}

func TestTemplateErrors(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{"$sockets is missing", "$backend is missing"}},
		{"no sockets", "global\n$backend\n", []string{"$sockets is missing"}},
		{"in a comment", "global\n# $sockets\n$backend", []string{"$sockets is missing"}},
		{"master-worker", "global\n  master-worker\n$sockets\n$backend", []string{"line 2: master-worker"}},
		{"in a line", "global\n$sockets # here\n$backend", []string{"line 2: $sockets becomes whole lines"}},
		{"twice", "global\n$sockets\n$backend\n${backend}", []string{"line 4: $backend stands on line 3"}},
	} {
		_, err := ParseTemplate(test.text)
		if err == nil {
			t.Errorf("%s: no error", test.name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", test.name, err, want)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	template, err := ParseTemplate("global\n$sockets\nfrontend web-a\n acl web-b path /\nbackend x\n$backend")
	if err != nil {
		t.Fatal(err)
	}
	f := Frame{Version: Version{Major: 2, Minor: 0}, Sockets: []string{"a", "b"}}
	err = template.Validate(f, []Backend{{Name: "web-a"}, {Name: "web-b"}, {Name: "x"}, {Name: "y"}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`"web-a" has the name of a frontend`, `"web-b" has the name of a acl`, `"x" has the name of a backend`, "nbproc $nbproc"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	f.Version = Version{Major: 2, Minor: 6}
	if err := template.Validate(f, []Backend{{Name: "y"}}); err != nil {
		t.Error(err)
	}
}

func TestExpand(t *testing.T) {
	values := map[string]string{"nbproc": "2", "listener_port": "8080"}
	for in, want := range map[string]string{
		"bind *:$listener_port":         "bind *:8080",
		"bind *:${listener_port}0":      "bind *:80800",
		"$nbprocs ${nbproc}":            "$nbprocs 2",
		"log ${LOG_TARGET} $$nbproc":    "log ${LOG_TARGET} $nbproc",
		"http-request set-var(x) $path": "http-request set-var(x) $path",
		"cost 5$":                       "cost 5$",
	} {
		if got := expand(in, values); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestFiles(t *testing.T) {
	for text, want := range map[string]uint64{
		"global\n maxconn 1000\ndefaults\n maxconn 5\n": 2*1000 + 500 + 7,
		"defaults\n maxconn 5\n":                        500 + 7,
		"global\n maxconn x\n":                          500 + 7,
	} {
		wanted, needed := Files([]byte(text), []*Table{NewTable(7, false)})
		if wanted != want || needed != 507 {
			t.Errorf("%q: got %d and %d, want %d and 507", text, wanted, needed, want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("global\n$sockets\n$backend\n")
	f.Add("defaults\n mode tcp\nfrontend a\n bind *:${listener_port}\n$acl\r\n$use_backend\n$default_backend")
	f.Fuzz(func(t *testing.T, text string) {
		template, err := ParseTemplate(text)
		if err != nil {
			return
		}
		out := template.Render(Frame{Version: Version{Major: 2}, Sockets: []string{"/s"}}, []Backend{testBackend()}, []*Table{NewTable(3, false)})
		if !strings.Contains(string(out), "stats socket /s ") || !strings.Contains(string(out), "server-template web 1-3 ") {
			t.Errorf("%q: rendered %q", text, out)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	template, err := ParseTemplate(Builtin{Mode: "http"}.Text())
	if err != nil {
		b.Fatal(err)
	}
	var backends []Backend
	var tables []*Table
	for range 1000 {
		backends, tables = append(backends, testBackend()), append(tables, NewTable(20, false))
		tables[len(tables)-1].Assign(instances(1, 2, 3, 4, 5, 6, 7, 8, 9, 10))
	}
	for b.Loop() {
		template.Render(Frame{Sockets: []string{"/s"}}, backends, tables)
	}
}

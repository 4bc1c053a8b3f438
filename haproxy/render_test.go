package haproxy

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func testBackend() Backend {
	return Backend{Name: "web", Mode: "http", Servers: ServerTemplate{Prefix: "web", First: 1, Last: 10, Free: "0.0.0.0:0", Params: []string{"check"}}}
}

// seedShape returns the seed's example: two groups, one of them behind ACLs.
func seedShape(t *testing.T, sockets int) (Frame, []Backend, [][]Row) {
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
		{Name: "web-basecentre", Mode: "http", Balance: "roundrobin", HTTPCheck: "GET /basecentre/probe.jsp", ServerClose: new(true), ACLs: []string{"path_beg -i /basecentre", "path_beg -i /testcentre"}, Servers: servers("web-basecentre", 4)},
	}
	rows := [][]Row{make([]Row, 10), make([]Row, 4)}
	rows[0][0].Addr, rows[0][2].Addr = netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.3:80")
	rows[1][1] = Row{Addr: netip.MustParseAddrPort("10.0.0.9:8080"), Disabled: true}
	return f, backends, rows
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
			f, backends, rows := seedShape(t, test.sockets)
			f.Version = test.version
			if err := template.Validate(f, backends); err != nil {
				t.Fatal(err)
			}
			compareGolden(t, filepath.Join("testdata", "render", name+".cfg"), template.Render(f, backends, rows))
		})
	}
}

func TestBuiltinTemplates(t *testing.T) {
	for mode, b := range map[string]Builtin{
		"http": {Mode: "http", Version: Version{Major: 2}, LogSocket: "/run/log.sock", User: "admin", Password: `p#$acl "\' x`},
		"tcp":  {Mode: "tcp", Version: Version{Major: 2, Minor: 6}},
	} {
		template, err := b.Template()
		if err != nil {
			t.Fatal(err)
		}
		f, backends, rows := seedShape(t, 1)
		f.Version = b.Version
		if mode == "tcp" {
			backends, rows = backends[:1], rows[:1]
			backends[0].Mode, backends[0].HTTPCheck = "tcp", ""
		}
		compareGolden(t, filepath.Join("testdata", "render", "builtin-"+mode+".cfg"), template.Render(f, backends, rows))
	}
}

func TestStatsMaxconnOfTemplateIsKept(t *testing.T) {
	template, err := ParseTemplate("global\n    $sockets\n    stats maxconn 30\nfrontend web\n    stats auth a:maxconn\n$backend")
	if err != nil {
		t.Fatal(err)
	}
	f, backends, rows := seedShape(t, 1)
	text := string(template.Render(f, backends, rows))
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
		{"in a line", "global\n log $sockets\n$backend", []string{"line 2: $sockets becomes whole lines"}},
		{"twice", "global\n$sockets\n$backend\n${backend}", []string{"line 4: $backend is already on line 3"}},
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
		wanted, needed := Files([]byte(text), 7, 2)
		if wanted != want || needed != 502 {
			t.Errorf("%q: got %d and %d, want %d and 502", text, wanted, needed, want)
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
		out := template.Render(Frame{Version: Version{Major: 2}, Sockets: []string{"/s"}}, []Backend{testBackend()}, [][]Row{make([]Row, 3)})
		if !strings.Contains(string(out), "stats socket /s ") || !strings.Contains(string(out), "server-template web 1-3 ") {
			t.Errorf("%q: rendered %q", text, out)
		}
		for _, v := range branches {
			f, backends, rows := Frame{Version: v, Sockets: []string{"/s"}}, []Backend{testBackend()}, [][]Row{make([]Row, 3)}
			backends[0].Mode = "tcp"
			lines := strings.Count(string(template.Render(f, backends, rows)), "\n")
			if places := template.Places(f, backends, rows); len(places) != lines {
				t.Errorf("%q, HAProxy %s: %d lines, %d places", text, v, lines, len(places))
			}
			for _, trap := range template.Traps(v) {
				if trap.Text == "" || trap.Remedy == "" {
					t.Errorf("%q, HAProxy %s: %+v", text, v, trap)
				}
			}
			template.GroupTraps(backends[0], v)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	template, err := Builtin{Mode: "http"}.Template()
	if err != nil {
		b.Fatal(err)
	}
	var backends []Backend
	group := make([]Row, 20)
	for i := range 10 {
		group[i].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 80)
	}
	var rows [][]Row
	for range 1000 {
		backends, rows = append(backends, testBackend()), append(rows, group)
	}
	for b.Loop() {
		template.Render(Frame{Sockets: []string{"/s"}}, backends, rows)
	}
}

package haproxy

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestAddressNames(t *testing.T) {
	for addr, name := range map[string]string{
		"10.0.0.5:8080":           "10.0.0.5:8080",
		"[::1]:80":                "::1:80",
		"[2001:db8::8:800]:65535": "2001:db8::8:800:65535",
	} {
		want := netip.MustParseAddrPort(addr)
		if got := AddressName(want); got != name {
			t.Errorf("%s: named %s", addr, got)
		}
		if got, named := ParseAddressName([]byte(name)); !named || got != want {
			t.Errorf("%s: parsed as %v, %v", name, got, named)
		}
	}
	for _, name := range []string{
		"", "web1", ":80", "10.0.0.5", "10.0.0.5:", "10.0.0.5:0", "10.0.0.5:080", "10.0.0.5:65536", "[::1]:80", "0:0::1:80", "::ffff:10.0.0.5%eth0:80", "10.0.0.5:80:80", "fe80::1%eth0:80",
	} {
		if got, named := ParseAddressName([]byte(name)); named {
			t.Errorf("%q: parsed as %v", name, got)
		}
	}
}

func FuzzParseAddressName(f *testing.F) {
	for _, name := range []string{"10.0.0.5:8080", "::1:80", "web1", "fe80::1%x;disable server:80"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		addr, named := ParseAddressName([]byte(name))
		if !named {
			return
		}
		if AddressName(addr) != name || addr.Port() == 0 || addr.Addr().Zone() != "" || strings.ContainsAny(name, " ;%[]\n") {
			t.Errorf("%q is parsed as %v", name, addr)
		}
	})
}

// dynamicTemplate has settings in every place from which servers inherit.
const dynamicTemplate = `global
$sockets
defaults
    mode http
    timeout connect 2s
    retries 4
    default-server maxconn 100 inter 5s
frontend public
    bind :80
$acl
$use_backend
$backend
`

func dynamicBackend(change func(*Backend)) Backend {
	b := Backend{Name: "web", Mode: "http", Carry: CarryAuto, Servers: ServerTemplate{Prefix: "web", First: 1, Last: 10, Free: "0.0.0.0:0", Params: []string{"check", "rise", "1"}}}
	if change != nil {
		change(&b)
	}
	return b
}

func TestDynamicServersAreAddedAsTheyAreRendered(t *testing.T) {
	v := Version{Major: 3, Minor: 2}
	for _, test := range []struct {
		name     string
		change   func(*Backend)
		commands []string
		line     string
		rest     time.Duration
	}{
		{
			"with inherited settings and an early first check", nil,
			[]string{"add server web/::1:80 [::1]:80 maxconn 100 inter 5s check rise 1 downinter 500 guid web:0000:0000:0000:0000:0000:0000:0000:0001:80", "enable health web/::1:80"},
			"server ::1:80 [::1]:80 check rise 1 downinter 500 guid web:0000:0000:0000:0000:0000:0000:0000:0001:80", leastRest,
		},
		{
			"hashed, with an agent, without checks",
			func(b *Backend) {
				b.Balance, b.Lines = "uri", []string{"hash-type consistent", "timeout connect 10s"}
				b.Servers.Params = []string{"agent-check", "agent-port", "9", "disabled"}
			},
			[]string{"add server web/::1:80 [::1]:80 maxconn 100 inter 5s agent-check agent-port 9 hash-key addr-port guid web:0000:0000:0000:0000:0000:0000:0000:0001:80"},
			"server ::1:80 [::1]:80 agent-check agent-port 9 disabled hash-key addr-port guid web:0000:0000:0000:0000:0000:0000:0000:0001:80", 55 * time.Second,
		},
		{
			"a group whose name leaves no room for a guid",
			func(b *Backend) {
				b.Name, b.Servers.Params = strings.Repeat("w", 100), []string{"check", "downinter", "1s"}
			},
			[]string{"add server " + strings.Repeat("w", 100) + "/::1:80 [::1]:80 maxconn 100 inter 5s check downinter 1s", "enable health " + strings.Repeat("w", 100) + "/::1:80"},
			"server ::1:80 [::1]:80 check downinter 1s\n", leastRest,
		},
		{
			"checked often anyway", func(b *Backend) { b.Servers.Params = []string{"check", "inter", "200"} },
			[]string{"add server web/::1:80 [::1]:80 maxconn 100 inter 5s check inter 200 guid web:0000:0000:0000:0000:0000:0000:0000:0001:80", "enable health web/::1:80"},
			"server ::1:80 [::1]:80 check inter 200 guid web:0000:0000:0000:0000:0000:0000:0000:0001:80", leastRest,
		},
		{
			"HAProxy may try to connect for long", func(b *Backend) { b.Lines = []string{"timeout connect \"$T\""} },
			[]string{"add server web/::1:80 [::1]:80 maxconn 100 inter 5s check rise 1 downinter 500 guid web:0000:0000:0000:0000:0000:0000:0000:0001:80", "enable health web/::1:80"},
			"server ::1:80", unknownRest,
		},
	} {
		template, err := ParseTemplate(dynamicTemplate)
		if err != nil {
			t.Fatal(err)
		}
		b := dynamicBackend(test.change)
		if way, reason := template.Carries(b, v); way != CarryServers || reason != "" {
			t.Errorf("%s: carried by %s: %s", test.name, way, reason)
		}
		addr := netip.MustParseAddrPort("[::1]:80")
		servers := template.DynamicServers(b, v)
		var commands []string
		for _, c := range servers.Add(addr) {
			commands = append(commands, c.String())
		}
		if got, want := strings.Join(commands, "\n"), strings.Join(test.commands, "\n"); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, want)
		}
		if servers.Rest != test.rest {
			t.Errorf("%s: it rests for %v", test.name, servers.Rest)
		}
		config := string(template.Render(Frame{Version: v}, []Backend{b}, [][]Row{{{Addr: addr, Named: true}}}))
		if !strings.Contains(config, "    "+test.line) {
			t.Errorf("%s: not rendered as %s:\n%s", test.name, test.line, config)
		}
	}
}

func TestDynamicServersNeedWhatHAProxyCanAdd(t *testing.T) {
	v30 := Version{Major: 3, Minor: 0}
	for _, test := range []struct {
		version Version
		change  func(*Backend)
		reason  string
	}{
		{Version{Major: 2, Minor: 8}, nil, "HAProxy before 3.0 may crash"},
		{v30, func(b *Backend) { b.Balance = "static-rr" }, "`balance static-rr`"},
		{v30, func(b *Backend) { b.Balance = "uri" }, "without `hash-type consistent`"},
		{v30, func(b *Backend) { b.Balance = "random(3)" }, ""},
		{v30, func(b *Backend) { b.Servers.Params = append(b.Servers.Params, "resolvers", "dns") }, `"resolvers"`},
		{v30, func(b *Backend) { b.Servers.Params = append(b.Servers.Params, "port", "$PORT") }, `"$PORT" cannot be part of a command`},
		{v30, func(b *Backend) { b.Servers.Params = []string{"inter"} }, `"inter" lacks its argument`},
		{v30, func(b *Backend) { b.Lines = []string{"default-server init-addr none"} }, `"init-addr"`},
		{v30, func(b *Backend) { b.Lines = []string{"server spare 10.0.0.9:80 backup"} }, "a server of its own"},
		{v30, func(b *Backend) { b.Lines = []string{"use-server web1 if TRUE"} }, "`use-server`"},
		{v30, func(b *Backend) { b.Lines = []string{"default-server enabled"} }, ""},
	} {
		template, err := ParseTemplate(dynamicTemplate)
		if err != nil {
			t.Fatal(err)
		}
		b := dynamicBackend(test.change)
		way, reason := template.Carries(b, test.version)
		if (way == CarryServers) != (test.reason == "") || !strings.Contains(reason, test.reason) {
			t.Errorf("want %q: carried by %s: %s", test.reason, way, reason)
		}
		b.Carry = CarryServers
		if traps := template.CarryTraps(b, test.version); (len(traps) > 0) != (test.reason != "") {
			t.Errorf("want %q: noted %v", test.reason, traps)
		}
		b.Carry = CarrySlots
		if way, reason := template.Carries(b, test.version); way != CarrySlots || reason != "" {
			t.Errorf("slots are carried by %s: %s", way, reason)
		}
	}
}

func TestRunningDynamicServersAreRead(t *testing.T) {
	template, err := ParseTemplate(dynamicTemplate)
	if err != nil {
		t.Fatal(err)
	}
	rows := []Row{
		{Addr: netip.MustParseAddrPort("[::1]:80"), Named: true},
		{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Named: true, Disabled: true},
	}
	config := template.Render(Frame{Version: Version{Major: 3, Minor: 2}}, []Backend{dynamicBackend(nil)}, [][]Row{rows})
	got := ParseNamedRows(string(config), "web")
	if len(got) != 2 || got[0] != rows[0] || got[1] != rows[1] {
		t.Errorf("read %v", got)
	}
}

// The replies of HAProxy 3.0 to 3.4, as recorded.
func TestRepliesAboutDynamicServers(t *testing.T) {
	add := Command{Server: "web/10.0.0.1:80", Verb: AddServer, Value: "10.0.0.1:80 check"}
	for reply, want := range map[string]string{
		"New server registered.":                                                "done",
		"Already exists a server with the same name in backend.":                "wrong",
		"No such backend.":                                                      "wrong",
		"'resolvers' option is not accepted for dynamic server":                 "refused",
		"unknown keyword 'foo'; did you mean 'tfo' maybe ?":                     "refused",
		"'guid': duplicate entry with server web/g1.":                           "refused",
		"character '[' is not permitted in server name '[::1]:80'.":             "refused",
		"weight of server y3 is not within 0 and 256 (300)..":                   "refused",
		"Backend must use a dynamic load balancing to support dynamic servers.": "refused",
		"Permission denied":                                                     "refused",
		"":                                                                      "refused",
	} {
		got := "wrong"
		switch {
		case add.Confirm(reply) == nil:
			got = "done"
		case add.Refused(reply):
			got = "refused"
		}
		if got != want {
			t.Errorf("%q is %s, not %s", reply, got, want)
		}
	}
	for _, test := range []struct {
		replies []string
		want    Deletion
		fails   bool
	}{
		{[]string{"Done.", "Server deleted."}, Deleted, false},
		{[]string{"Failed.", "No such server."}, Deleted, false},
		{[]string{"Failed.\nNo such server.", "No such server."}, Deleted, false},
		{[]string{"Wait delay expired.", "Server still has connections attached to it, cannot remove it."}, Busy, false},
		{[]string{"Failed.", "Only servers in maintenance mode can be deleted."}, InService, false},
		{[]string{"Unknown command: 'wait'", "Permission denied\n"}, Busy, true},
	} {
		got, err := ParseDeletion(test.replies)
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("%q: %v, %v", test.replies, got, err)
		}
		oneLine(t, err)
	}
}

package haproxy

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRowsOfARunningConfiguration(t *testing.T) {
	t.Parallel()
	servers := ServerTemplate{Prefix: "web", First: 1, Last: 2, Free: "0.0.0.0:0"}
	row := func(addr string, disabled bool) Row {
		return Row{Addr: netip.MustParseAddrPort(addr), Disabled: disabled}
	}
	for name, test := range map[string]struct {
		text string
		want []Row
	}{
		"nothing":        {"", []Row{{}, {}}},
		"its instances":  {"backend other\n    server web1 10.9.9.9:1\nbackend web from http\n    mode http\n    server web2 10.0.0.2:80 check disabled\n    server web1 10.0.0.1:80 check\n", []Row{row("10.0.0.1:80", false), row("10.0.0.2:80", true)}},
		"it has grown":   {"backend web\n\tserver-template web 1-3 0.0.0.0:0 disabled\n\tserver web4 [::1]:80\n", []Row{{}, {}, {}, row("[::1]:80", false)}},
		"other servers":  {"backend web\n server backup 10.0.0.1:80\n server web0 10.0.0.1:80\n server web99999 10.0.0.1:80\n server web1 example.com:80\n server\n # server web2 10.0.0.1:80\n", []Row{{}, {}}},
		"not a range":    {"backend web\n server-template web 9 0.0.0.0:0\n server-template web 1-x 0.0.0.0:0\n", []Row{{}, {}}},
		"another prefix": {"backend web\n server-template api 1-9 0.0.0.0:0\n", []Row{{}, {}}},
	} {
		got := servers.ParseRows(test.text, "web")
		if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// FuzzParseRows checks that a configuration yields no more slots than a backend may have,
// and that rendering them yields them again.
func FuzzParseRows(f *testing.F) {
	f.Add("backend web\n server web1 10.0.0.1:80 disabled\n server-template web 2-9 0.0.0.0:0\n")
	f.Add("backend web\n server web10000 [::1]:80\n")
	servers := ServerTemplate{Prefix: "web", First: 1, Last: 3, Free: "0.0.0.0:0"}
	f.Fuzz(func(t *testing.T, text string) {
		rows := servers.ParseRows(text, "web")
		if len(rows) < 3 || len(rows) > MaxSlots {
			t.Errorf("%d rows", len(rows))
		}
		out := new(page)
		out.text("backend web\n")
		(&Template{}).renderServers(out, Backend{Name: "web", Servers: servers}, rows, Version{})
		again := servers.ParseRows(out.String(), "web")
		if diff := cmp.Diff(rows, again, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("-parsed +again\n%s", diff)
		}
	})
}

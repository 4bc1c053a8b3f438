package haproxy

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func parseGolden(t *testing.T, parts ...string) []Stats {
	t.Helper()
	all, err := parseStats(strings.TrimRight(golden(t, parts...), "\n") + "\n")
	if err != nil {
		t.Fatalf("%s: %v", filepath.Join(parts...), err)
	}
	return all
}

// parseStats parses a reply as a whole.
func parseStats(text string) ([]Stats, error) {
	all := []Stats{}
	lines := NewStatsLines(func(s Stats) { all = append(all, s) })
	for line := range strings.Lines(text) {
		if err := lines.Take([]byte(line)); err != nil {
			return nil, err
		}
	}
	if err := lines.End(); err != nil {
		return nil, err
	}
	return all, nil
}

func TestParseStatsOfEveryVersion(t *testing.T) {
	server := func(name, addr string, status Status) Stats {
		s := Stats{Kind: OfServer, Proxy: "web", Server: name, Status: status, Weight: 1, HTTP: true}
		if addr != "" {
			s.Addr = netip.MustParseAddrPort(addr)
		}
		return s
	}
	want := []Stats{
		server("web1", "", StatusMaint),
		server("web2", "127.0.0.8:9008", StatusUp),
		server("web4", "", StatusMaint),
		server("web5", "[::1]:9002", StatusMaint),
		server("web6", "127.0.0.9:9009", StatusDrain),
	}
	for _, dir := range versions(t) {
		got := parseGolden(t, dir, "stat.txt")
		if len(got) != 6 || got[2].Server != "web3" || got[2].Weight != 0 {
			t.Errorf("%s: %+v", dir, got)
			continue
		}
		got = append(got[:2:2], got[3:]...) // some versions were asked with another address of web3
		for i := range got {
			if checked := got[i].Check == (Check{Status: "INI"}); checked != (i == 1 || i == 4) {
				t.Errorf("%s: check %+v of %s", dir, got[i].Check, got[i].Server)
			}
			got[i].Unchanged, got[i].Check = 0, Check{}
		}
		if diff := cmp.Diff(want, got, cmpAddr); diff != "" {
			t.Errorf("%s: -want +got\n%s", dir, diff)
		}
	}
}

// The replies were recorded after 7 HTTP requests: one denied, one answered with 404, one
// with 500; and one TCP connection. web3 is checked, web4 down, web5 not checked.
func TestParseStatsAfterTraffic(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*/traffic.txt")
	if err != nil || len(dirs) != 4 {
		t.Fatalf("recorded replies: %v, %v", dirs, err)
	}
	for _, file := range dirs {
		byName := make(map[string]Stats)
		for _, s := range parseGolden(t, file) {
			byName[s.Proxy+"/"+s.Server] = s
		}
		responses := func(name string) string {
			c := byName[name].Counters
			return fmt.Sprint(c[TotalRequests], c[Responses2xx], c[Responses4xx], c[Responses5xx], c[DeniedRequests])
		}
		for name, want := range map[string]string{"fe/": "7 4 2 1 1", "web/": "6 4 1 1 0", "tcpfe/": "0 0 0 0 0"} {
			if got := responses(name); got != want {
				t.Errorf("%s: %s has %s, want %s (requests, 2xx, 4xx, 5xx, denied)", file, name, got, want)
			}
		}
		fe, web, web5, raw := byName["fe/"], byName["web/"], byName["web/web5"], byName["raw/raw1"]
		switch {
		case fe.Kind != OfFrontend || fe.Limit != 9983 || !fe.HTTP || byName["tcpfe/"].HTTP:
			t.Errorf("%s: frontend %+v", file, fe)
		case web.Kind != OfBackend || web.Limit != 999 || web.Counters[TotalSessions] != 6:
			t.Errorf("%s: backend %+v", file, web)
		case web5.Kind != OfServer || web5.Weight != 50 || web5.Counters[TotalSessions] != 6 || web5.ResponseTime < time.Millisecond || web5.Counters[BytesOut] < 600:
			t.Errorf("%s: server %+v", file, web5)
		case raw.HTTP || raw.Counters[TotalSessions] != 1 || raw.Counters[BytesIn] != 79 || raw.Addr != netip.MustParseAddrPort("127.0.0.1:18090"):
			t.Errorf("%s: tcp server %+v", file, raw)
		}
		web3, web4 := byName["web/web3"], byName["web/web4"]
		if c := web3.Check; c.Status != "L7OK" || c.Code != 200 || c.Duration == 0 || c.Text != "" {
			t.Errorf("%s: check %+v", file, c)
		}
		if c := web4.Check; c.Status != "L4CON" || c.Text != "Connection refused" || web4.Unchanged == 0 || web4.Starting {
			t.Errorf("%s: check %+v of %+v", file, c, web4)
		}
		for name, want := range map[string]Status{"web/web1": StatusMaint, "web/web3": StatusUp, "web/web4": StatusDown, "web/web5": StatusUp} {
			if got := byName[name].Status; got != want {
				t.Errorf("%s: %s has status %d, want %d", file, name, got, want)
			}
		}
		if n := byName["web/web4"].Counters[CheckFailures]; n == 0 {
			t.Errorf("%s: no failed check of web4", file)
		}
	}
}

func TestParseStatsOfShapes(t *testing.T) {
	const header = "# pxname,svname,qcur,qmax,scur,type,status,last_chk,addr,\n"
	for name, test := range map[string]struct {
		text string
		want []Stats // nil is an error
	}{
		"nothing":          {"", nil},
		"an error":         {"Permission denied\n", nil},
		"only a header":    {header, []Stats{}},
		"no type":          {"# pxname,svname,qcur,scur\nweb,BACKEND,0,1\n", []Stats{{Kind: OfBackend, Proxy: "web", Sessions: 1}}},
		"no sessions":      {"# pxname,svname,qcur\nweb,web1,0\n", nil},
		"cut off":          {header + "web,web1,0,0,0,2,UP\n", nil},
		"empty sessions":   {header + "web,web1,0,0,,2,UP,,,\n", nil},
		"negative":         {header + "web,web1,-1,0,0,2,UP,,,\n", nil},
		"too large":        {header + "web,web1,0,0,99999999999999999999,2,UP,,,\n", nil},
		"unknown type":     {header + "web,web1,0,0,0,9,UP,,,\n", nil},
		"listener":         {header + "web,sock-1,,,0,3,OPEN,,,\n", []Stats{}},
		"name":             {header + "we b,web1,0,0,0,2,UP,,,\n", nil},
		"no name":          {header + "web,,0,0,0,2,UP,,,\n", nil},
		"quoted":           {header + `web,web1,0,0,0,2,UP,"a,""b""",[::1]:80,` + "\n", []Stats{{Kind: OfServer, Proxy: "web", Server: "web1", Status: StatusUp, Addr: netip.MustParseAddrPort("[::1]:80"), Check: Check{Text: `a,"b"`}}}},
		"quote open":       {header + `web,web1,0,0,0,2,UP,"a,[::1]:80,` + "\n", nil},
		"quote continued":  {header + `web,web1,0,0,0,2,UP,"a"b,[::1]:80,` + "\n", nil},
		"zone":             {header + "web,web1,0,0,0,2,UP,,[fe80::1%x]:80,\n", []Stats{{Kind: OfServer, Proxy: "web", Server: "web1", Status: StatusUp}}},
		"status of future": {header + "web,web1,2,0,1,2,ASLEEP,,,\n", []Stats{{Kind: OfServer, Proxy: "web", Server: "web1", Queued: 2, Sessions: 1}}},
	} {
		got, err := parseStats(test.text)
		if (err == nil) != (test.want != nil) {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		oneLine(t, err)
		if diff := cmp.Diff(test.want, got, cmpAddr); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestParseStatus(t *testing.T) {
	for text, want := range map[string]Status{
		"UP": StatusUp, "UP 1/3": StatusUp, "no check": StatusUp, "UP (UNPUB)": StatusUp,
		"DOWN": StatusDown, "DOWN 1/2": StatusDown, "DOWN (agent)": StatusDown,
		"DRAIN": StatusDrain, "DRAIN 1/2": StatusDrain, "DRAIN (agent)": StatusDrain, "NOLB": StatusDrain, "NOLB 1/3": StatusDrain,
		"MAINT": StatusMaint, "MAINT (via web/web1)": StatusMaint, "MAINT (resolution)": StatusMaint,
		"": StatusUnknown, "OPEN": StatusUnknown,
	} {
		if got := parseStatus(text); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

func TestCountersThatFellBeganAnew(t *testing.T) {
	var before, now Counters
	before[TotalSessions], before[Responses5xx] = 10, 2
	now[TotalSessions], now[Responses5xx] = 15, 3
	if grown := now.Since(before); grown[TotalSessions] != 5 || grown[Responses5xx] != 1 {
		t.Errorf("grew by %v", grown)
	}
	now[TotalSessions] = 4
	if grown := now.Since(before); grown != now {
		t.Errorf("after counters were cleared: %v", grown)
	}
}

// FuzzParseStats checks that no reply yields a name or an address that would not be
// accepted elsewhere, and that errors are one short line.
func FuzzParseStats(f *testing.F) {
	f.Add("# pxname,svname,qcur,scur,type,status,last_chk,addr\nweb,web1,0,1,2,UP,\"a,b\",127.0.0.1:80\n")
	f.Add("# pxname,svname,qcur,scur\nweb,BACKEND,,1\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseStats(text)
		if err != nil {
			oneLine(t, err)
			return
		}
		if len(all) > strings.Count(text, "\n") {
			t.Errorf("%d lines of %q", len(all), text)
		}
		for _, s := range all {
			if !validName(s.Proxy) || (s.Kind == OfServer) != validName(s.Server) {
				t.Errorf("names %q and %q", s.Proxy, s.Server)
			}
			if s.Addr.IsValid() && (s.Addr.Port() == 0 || s.Addr.Addr().Zone() != "") {
				t.Errorf("address %v", s.Addr)
			}
		}
	})
}

// BenchmarkStatsLines parses what HAProxy 2.6 replies for 1,000 backends of 20 servers, 7
// MB.
func BenchmarkStatsLines(b *testing.B) {
	recorded, err := os.ReadFile("testdata/2.6/traffic.txt")
	if err != nil {
		b.Fatal(err)
	}
	header, lines, _ := strings.Cut(string(recorded), "\n")
	_, line, _ := strings.Cut(lines, "web,web5,")
	line, _, _ = strings.Cut(line, "\n")
	var reply strings.Builder
	reply.WriteString(header + "\n")
	for backend := range 1000 {
		for server := range 20 {
			fmt.Fprintf(&reply, "web%d,web%d%d,%s\n", backend, backend, server, line)
		}
	}
	text := reply.String()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if all, err := parseStats(text); err != nil || len(all) != 20_000 {
			b.Fatal(len(all), err)
		}
	}
}

func TestStatsLinesOfEveryVersion(t *testing.T) {
	for _, dir := range versions(t) {
		text := strings.TrimRight(golden(t, dir, "stat.txt"), "\n") + "\n"
		want, err := parseStats(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []Stats
		lines := NewStatsLines(func(s Stats) { got = append(got, s) })
		for line := range strings.Lines(text + text) { // two replies
			if err := lines.Take([]byte(line)); err != nil {
				t.Fatalf("%s: %v", dir, err)
			}
		}
		if diff := cmp.Diff(slices.Concat(want, want), got, cmpAddr); diff != "" {
			t.Errorf("%s: -want +got\n%s", dir, diff)
		}
		if err := lines.Take([]byte("web,web1\n")); err == nil {
			t.Errorf("%s: no error about a line without most columns", dir)
		}
	}
	if err := NewStatsLines(nil).Take([]byte("No such proxy.\n")); err == nil {
		t.Error("no error about a reply without a header")
	}
}

package plan

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// FuzzDiscoveredGroup checks that a name from ZooKeeper is either rejected with one
// short line, or affects only the lines of its own group, where it appears unchanged,
// as it does in labels, URLs and file names.
func FuzzDiscoveredGroup(f *testing.F) {
	for _, name := range []string{"web", "a.b_c-9", "a:1", "or", "TRUE", "a\nbackend b", "a b", "..", "%0a", "{", "web;", "metrics"} {
		f.Add(name)
	}
	cfg, _, err := config.Load("f", []byte(`{"web": {"zk.addr": "zk1:2181", "groups": {"*": {"httpchk": "GET /${app}", "server_tls": {"verify": "none", "server_name": "${app}.internal"}}}}}`), config.Environment{RunDir: "/run"})
	if err != nil {
		f.Fatal(err)
	}
	pl := &Plan{Proxy: cfg.Proxies[0], Frame: haproxy.Frame{Version: haproxy.Version{Major: 2, Minor: 6}, Sockets: []string{"/run/web.sock"}, ListenerPort: 80, AdminPort: 81}}
	if pl.Parsed, err = pl.readTemplate(); err != nil {
		f.Fatal(err)
	}
	render := func(name string) (string, error) {
		b, err := pl.discover()(name)
		if err == nil {
			err = pl.Parsed.Validate(pl.Frame, []haproxy.Backend{b})
		}
		rows := []haproxy.Row{{Addr: netip.MustParseAddrPort("10.0.0.1:80")}, {}, {}}
		return string(pl.Parsed.Render(pl.Frame, []haproxy.Backend{b}, [][]haproxy.Row{rows})), err
	}
	const known = "known-name"
	usual, err := render(known)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := render(name)
		if err != nil {
			if text := err.Error(); len(text) > 1000 || strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
				t.Errorf("error %q", text)
			}
			return
		}
		if diff := cmp.Diff(strings.ReplaceAll(usual, known, name), got); diff != "" {
			t.Errorf("%q: -want +got\n%s", name, diff)
		}
		for line := range strings.Lines(got) {
			if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("line %q", line)
			}
		}
		if url.PathEscape(name) != name || !filepath.IsLocal(name) || filepath.Base(name) != name || strconv.QuoteToASCII(name) != `"`+name+`"` {
			t.Errorf("%q is written in another way elsewhere", name)
		}
		if path := pl.Discovery().Path(name); path != "/services/"+name+"/instances" {
			t.Errorf("path %q", path)
		}
	})
}

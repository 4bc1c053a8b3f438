package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBindAddress(t *testing.T) {
	for text, want := range map[string]string{
		"*:80": "tcp4 :80", ":80": "tcp4 :80", "0.0.0.0:80": "tcp4 0.0.0.0:80", "127.0.0.1:81": "tcp4 127.0.0.1:81",
		"[::1]:80": "tcp6 [::1]:80", ":::80": "tcp6 [::]:80", "::1:80": "tcp6 [::1]:80", "ipv4@*:80": "tcp4 :80", "ipv6@:80": "tcp6 :80",
		"/run/x.sock": "", "unix@/run/x.sock": "", "abns@x": "", "fd@3": "", "*:80-90": "", "*:0": "", "host.example:80": "", "*": "", "": "",
		`"${PORT}"`: "",
	} {
		network, addr, plain := bindAddress(text)
		if got := strings.TrimSpace(network + " " + addr); got != want || plain != (want != "") {
			t.Errorf("%q: %q %t, want %q", text, got, plain, want)
		}
	}
}

func TestListensHaveTheirLines(t *testing.T) {
	const config = "frontend a\n    bind *:80,127.0.0.1:81 ssl\n    bind /run/x.sock\n    # bind :1\n    bind ipv6@:80 interface eth1 namespace blue\n"
	listens := Listens([]byte(config))
	if diff := cmp.Diff([]Listen{{Network: "tcp4", Addr: ":80", Line: 2}, {Network: "tcp4", Addr: "127.0.0.1:81", Line: 2}, {"tcp6", ":80", 5, "eth1", "blue"}}, listens); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	var all []string
	for _, l := range listens {
		all = append(all, l.Addr)
	}
	var got []string
	for _, addr := range Addresses(append(all, "[::1]:82", "host.example:80", "127.0.0.1:http", "nonsense")) {
		got = append(got, addr.String())
	}
	if diff := cmp.Diff([]string{"0.0.0.0:80", "127.0.0.1:81", "0.0.0.0:80", "[::1]:82"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

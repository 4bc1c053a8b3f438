package haproxy

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var cmpAddr = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

func TestParseServersStateOfEveryVersion(t *testing.T) {
	want := map[string]Server{
		"web1": {Admin: Maint, Down: true},
		"web2": {Addr: netip.MustParseAddrPort("127.0.0.8:9008"), Admin: Ready},
		"web4": {Admin: Maint, Down: true},
		"web5": {Addr: netip.MustParseAddrPort("[::1]:9002"), Admin: Maint, Down: true},
		"web6": {Addr: netip.MustParseAddrPort("127.0.0.9:9009"), Admin: Drain},
	}
	for _, dir := range versions(t) {
		state, err := ParseServersState(strings.TrimRight(golden(t, dir, "state.txt"), "\n") + "\n")
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		got := state["web"]
		delete(got, "web3")
		if diff := cmp.Diff(want, got, cmpAddr); diff != "" {
			t.Errorf("%s: -want +got\n%s", dir, diff)
		}
	}
}

func TestParsePIDOfEveryVersion(t *testing.T) {
	for _, dir := range versions(t) {
		pid, err := ParsePID(golden(t, dir, "info.txt"))
		if err != nil || pid < 2 {
			t.Errorf("%s: pid %d, %v", dir, pid, err)
		}
	}
	if pid, err := ParsePID("Unknown command."); err == nil {
		t.Errorf("got pid %d of no pid", pid)
	}
}

func TestParseRunningVersionOfEveryVersion(t *testing.T) {
	for _, dir := range versions(t) {
		version, err := ParseRunningVersion(golden(t, dir, "info.txt"))
		if err != nil || !strings.HasPrefix(version, filepath.Base(dir)+".") {
			t.Errorf("%s: version %q, %v", dir, version, err)
		}
	}
	for text, want := range map[string]string{
		"Name: HAProxy\nVersion: 3.5-dev5-2f4a1e-17\n":   "3.5-dev5-2f4a1e-17",
		"Version: 2.6.12-1+deb12u4\n":                    "2.6.12-1+deb12u4",
		"Version: 2.6.12\" }\n":                          "",
		"Version: HAProxy\n":                             "",
		"Version: 3.0" + strings.Repeat("1", 100) + "\n": "",
		"Unknown command.":                               "",
	} {
		if version, err := ParseRunningVersion(text); version != want || (err == nil) != (want != "") {
			t.Errorf("%q: version %q, %v", text, version, err)
		}
	}
}

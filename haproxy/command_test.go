package haproxy

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// versions returns the versions whose original replies are in testdata.
func versions(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("testdata/[0-9]*")
	if err != nil || len(dirs) != 7 {
		t.Fatalf("goldens of HAProxy's replies: %v, %v", dirs, err)
	}
	return dirs
}

func golden(t *testing.T, parts ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestConfirmAcceptsRepliesOfEveryVersion(t *testing.T) {
	bad := []string{
		"set server nope/web3 state ready",
		"set server web/nope state ready",
		"set server web state ready",
		"set server web/web3 addr 300.1.1.1 port 1",
		"set server web/web3 addr 127.0.0.1 port abc",
		"set server web/web3 state bogus",
		"set server web/web3 weight 300",
		"set server web/web4 addr 127.0.0.1",
	}
	for _, dir := range versions(t) {
		good := 0
		for exchange := range strings.SplitSeq("\n"+golden(t, dir, "replies.txt"), "\n> ") {
			if exchange == "" {
				continue
			}
			request, reply, _ := strings.Cut(exchange, "\n")
			words := strings.SplitN(request, " ", 5)
			c := Command{Server: words[2], Verb: words[3], Value: words[4]}
			if c.String() != request {
				t.Fatalf("%s: %q became %q", dir, request, c)
			}
			err := c.Confirm(strings.TrimRight(reply, "\n"))
			wrong := false
			for _, b := range bad {
				wrong = wrong || b == request
			}
			switch {
			case request == "set server web/web4 addr 127.0.0.1":
				// Without a port: not a command of ours, HAProxy carries it out.
			case wrong && err == nil:
				t.Errorf("%s: %q was confirmed by %q", dir, request, reply)
			case !wrong && err != nil:
				t.Errorf("%s: %v", dir, err)
			case !wrong:
				good++
			}
		}
		if good < 12 {
			t.Errorf("%s: only %d good replies", dir, good)
		}
	}
}

func TestSetAddrAlwaysHasPort(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1:80": "set server web/web1 addr 10.0.0.1 port 80",
		"[::1]:9002":  "set server web/web1 addr ::1 port 9002",
	} {
		if got := SetAddr("web/web1", netip.MustParseAddrPort(addr)).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

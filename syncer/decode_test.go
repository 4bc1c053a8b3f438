package syncer

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

var decodeTests = map[string]string{ // name → canonical, or "" when it is none
	"10.238.99.246:32800":        "10.238.99.246:32800",
	"127.0.0.1:1":                "127.0.0.1:1",
	"127.0.0.1:65535":            "127.0.0.1:65535",
	"10.0.0.1:080":               "10.0.0.1:80",
	"[2001:db8::1]:80":           "[2001:db8::1]:80",
	"[2001:0DB8:0:0:0:0:0:1]:80": "[2001:db8::1]:80",
	"[::1]:80":                   "[::1]:80",
	"[fe80::1]:80":               "[fe80::1]:80",
	"[::ffff:1.2.3.4]:80":        "1.2.3.4:80",
	"[::ffff:102:304]:80":        "1.2.3.4:80",

	"":                             "",
	":":                            "",
	":80":                          "",
	"10.0.0.1":                     "",
	"10.0.0.1:":                    "",
	"10.0.0.1:0":                   "",
	"10.0.0.1:00":                  "",
	"10.0.0.1:70000":               "",
	"10.0.0.1:-1":                  "",
	"10.0.0.1:+80":                 "",
	"10.0.0.1:http":                "",
	"10.0.0.1:80:80":               "",
	"010.0.0.1:80":                 "",
	"10.0.0:80":                    "",
	"10.0.0.256:80":                "",
	"0.0.0.0:80":                   "",
	"224.0.0.1:80":                 "",
	"[::]:80":                      "",
	"[::ffff:0.0.0.0]:80":          "",
	"[ff02::1]:80":                 "",
	"[::ffff:224.0.0.1]:80":        "",
	"[10.0.0.1]:80":                "",
	"::ffff:1.2.3.4:80":            "",
	"2001:db8::1:80":               "",
	"[2001:db8::1]":                "",
	"[2001:db8::1:80":              "",
	"[fe80::1%eth0]:80":            "",
	"[::ffff:1.2.3.4%eth0]:80":     "",
	"10.0.0.1%eth0:80":             "",
	" 10.0.0.1:80":                 "",
	"10.0.0.1:80 ":                 "",
	"10.0.0.1 :80":                 "",
	"10.0.0.1:80;disable":          "",
	"10.0.0.1:80\n":                "",
	"10.0.0.1:80\nshow info":       "",
	"10.0.0.1:80\u2028show info":   "",
	"10.0.0.1:80\x00":              "",
	`"10.0.0.1:80"`:                "",
	"'10.0.0.1:80'":                "",
	"localhost:80":                 "",
	"web-1.example.com:80":         "",
	"10.0.0.1:８０":                  "",
	"10.0.0.1:" + zeros(64) + "80": "",
	zeros(2000):                    "",
}

func zeros(n int) string { return strings.Repeat("0", n) }

func TestDecode(t *testing.T) {
	for name, want := range decodeTests {
		got, err := Decode(name)
		switch {
		case want == "" && err == nil:
			t.Errorf("Decode(%q) = %v, want an error", name, got)
		case want != "" && err != nil:
			t.Errorf("Decode(%q): %v", name, err)
		case want != "" && got.String() != want:
			t.Errorf("Decode(%q) = %v, want %s", name, got, want)
		}
	}
}

func TestDecodeAllSortsAndMerges(t *testing.T) {
	instances, usable, skipped := decodeAll([]string{"10.0.0.2:80", "x", "[::ffff:10.0.0.1]:80", "10.0.0.1:80", "10.0.0.1:9", "y:1"}, Decode)
	if diff := cmp.Diff([]string{"10.0.0.1:9", "10.0.0.1:80", "10.0.0.2:80"}, texts(instances)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"10.0.0.2:80", "[::ffff:10.0.0.1]:80", "10.0.0.1:80", "10.0.0.1:9"}, usable); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"x", "y:1"}, skipped); diff != "" {
		t.Error(diff)
	}
}

func texts(instances []registry.Instance) []string {
	list := make([]string, 0, len(instances))
	for _, instance := range instances {
		list = append(list, instance.String())
	}
	return list
}

// FuzzDecode checks that the name of a child either has one canonical form of a limited
// character set, or yields an error of one short line.
func FuzzDecode(f *testing.F) {
	for name := range decodeTests {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		instance, err := Decode(name)
		if err != nil {
			f := classify(name, err)
			for _, text := range []string{printable(name), err.Error(), string(f.Kind), f.Problem, f.Remedy} {
				if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(text) || len(text) > 1000 {
					t.Fatalf("%q is reported as %q", name, text)
				}
			}
			if instance != (registry.Instance{}) {
				t.Fatalf("an instance beside the error: %v", instance)
			}
			return
		}
		addr := instance.Addr.Addr()
		if len(name) > 64 || !instance.Addr.IsValid() || instance.Addr.Port() == 0 || addr.Is4In6() ||
			addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() {
			t.Fatalf("Decode(%q) = %v", name, instance)
		}
		text := instance.String()
		if strings.Trim(text, "0123456789abcdef.:[]") != "" {
			t.Fatalf("Decode(%q) is written as %q", name, text)
		}
		if again, err := Decode(text); err != nil || again != instance || again.String() != text {
			t.Fatalf("%q is read as %v, %v", text, again, err)
		}
	})
}

package haproxy

import (
	"strings"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for _, test := range []struct {
		output                    string
		major, minor              int
		full                      string
		nbproc, idleClose, pinned bool
	}{
		{"HA-Proxy version 2.0.0 2019/06/16 - https://haproxy.org/", 2, 0, "2.0.0", true, false, true},
		{"HA-Proxy version 2.2.9-2+deb11u6 2023/12/23 - https://haproxy.org/\nStatus: …", 2, 2, "2.2.9-2+deb11u6", true, false, false},
		{"HAProxy version 2.4.22-1 2023/02/14", 2, 4, "2.4.22-1", true, true, false},
		{"HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/", 2, 6, "2.6.12-1+deb12u4", false, true, false},
		{"HAProxy version 3.0.11-1+deb13u3 2025/12/02 - https://haproxy.org/", 3, 0, "3.0.11-1+deb13u3", false, true, false},
		{"HAProxy version 10.11 2030/01/01", 10, 11, "10.11", false, true, false},
	} {
		v, err := ParseVersion(test.output)
		if err != nil {
			t.Errorf("%q: %v", test.output, err)
			continue
		}
		if v.Major != test.major || v.Minor != test.minor || v.Full != test.full {
			t.Errorf("%q: got %+v", test.output, v)
		}
		if v.Nbproc() != test.nbproc || v.idleClose() != test.idleClose || v.PinsConnections() != test.pinned {
			t.Errorf("%s: nbproc %v, idle close %v, pins connections %v", v, v.Nbproc(), v.idleClose(), v.PinsConnections())
		}
	}
	for _, bad := range []string{"", "nginx version: 1.2", "HAProxy version x.y", "HAProxy version 99999999999999999999.1"} {
		if v, err := ParseVersion(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, v)
		}
	}
}

func TestFixesOfReleases(t *testing.T) {
	for _, tt := range []struct {
		version      string
		pins, unseen bool
	}{
		{"2.2.9-2+deb11u6", true, false},
		{"2.8.5", true, false},
		{"3.0.10", true, false},
		{"3.0.11-1+deb13u4", false, false},
		{"3.1-dev14", true, true},
		{"3.1.0", true, true},
		{"3.1.7-1ppa1", true, false},
		{"3.1.8", false, false},
		{"3.2.0-e134140d2", false, false},
		{"3.10.0", false, false},
	} {
		v, err := ParseVersion("HAProxy version " + tt.version + " 2025/01/01 - https://haproxy.org/")
		if err != nil {
			t.Fatal(err)
		}
		if v.pinsPrivateConnections() != tt.pins || v.StartsUnseen() != tt.unseen {
			t.Errorf("%s: pins %t, starts unseen %t", v, v.pinsPrivateConnections(), v.StartsUnseen())
		}
	}
}

func TestCapabilities(t *testing.T) {
	for _, test := range []struct {
		version     Version
		has, hasNot []string
	}{
		{
			Version{2, 0, "2.0.0"},
			[]string{"workers are processes", "kept clients renew", "a reload cuts no request", "a `maxconn` above", "part of `option httpchk`", "agree on most keys"},
			[]string{"at random", "chroot", "is added"},
		},
		{
			Version{2, 2, "2.2.9"},
			[]string{"workers are processes", "kept clients need no other", "a reload cuts no request", "a `maxconn` above", "by `http-check send`", "agree on most keys"},
			[]string{"at random", "chroot", "is added"},
		},
		{
			Version{2, 6, "2.6.12"},
			[]string{"workers are threads", "kept clients need no other", "idle-close-on-response", "`no strict-limits` is added", "by `http-check send`", "agree on most keys"},
			[]string{"at random", "chroot"},
		},
		{Version{3, 0, "3.0.11"}, []string{"workers are threads", "`hash-key addr-port` is added"}, []string{"at random", "chroot", "name of a backend"}},
		{Version{3, 3, "3.3.0"}, []string{"at random", "no frontend may have the name of a backend"}, []string{"chroot"}},
		{Version{3, 4, "3.4.0"}, []string{"at random", "no frontend may have the name of a backend", "without `chroot` and `user`"}, nil},
	} {
		all := strings.Join(test.version.Capabilities(), "\n")
		for _, want := range test.has {
			if !strings.Contains(all, want) {
				t.Errorf("HAProxy %s lacks %q:\n%s", test.version, want, all)
			}
		}
		if strings.Contains(all, "warning") || strings.Contains(all, "error") {
			t.Errorf("HAProxy %s: what it can do reads like a finding of check:\n%s", test.version, all)
		}
		for _, other := range test.hasNot {
			if strings.Contains(all, other) {
				t.Errorf("HAProxy %s has %q:\n%s", test.version, other, all)
			}
		}
	}
}

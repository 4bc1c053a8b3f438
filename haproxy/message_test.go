package haproxy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const said22 = `[NOTICE] 326/014550 (6972) : haproxy version is 2.2.9-2+deb11u6
[NOTICE] 326/014550 (6972) : path to executable is /usr/sbin/haproxy
[ALERT] 326/014550 (6972) : parsing [a.cfg:10] : unknown option 'httpblog'.
[WARNING] 326/014550 (6972) : parsing acl keyword 'path_beg' :
  no pattern to match against were provided, so this ACL will never match.
  If this is what you intended, please add '--' to get rid of this warning.

[WARNING] 326/014550 (6972) : parsing [a.cfg:15]: 'option httpchk' : hiding headers is deprecated.
[ALERT] 326/014550 (6972) : Error(s) found in configuration file : a.cfg
[ALERT] 326/014550 (6972) : Fatal errors found in configuration.
`

const said26 = `[NOTICE]   (6994) : haproxy version is 2.6.12-1+deb12u4
[WARNING]  (6994) : config : missing timeouts for backend 'b'.
   | While not properly invalid, you will certainly encounter various problems
   | with such a configuration.
[ALERT]    (6994) : config : [a.cfg:4] : 'stats socket' : no.
Warnings were found.
Configuration file is valid
`

func TestParseMessagesOfEveryVersion(t *testing.T) {
	for _, test := range []struct {
		output string
		want   []Message
	}{
		{said22, []Message{
			{Alert, 10, "unknown option 'httpblog'."},
			{Warning, 0, "parsing acl keyword 'path_beg' : no pattern to match against were provided, so this ACL will never match. If this is what you intended, please add '--' to get rid of this warning."},
			{Warning, 15, "'option httpchk' : hiding headers is deprecated."},
		}},
		{said26, []Message{
			{Warning, 0, "missing timeouts for backend 'b'. While not properly invalid, you will certainly encounter various problems with such a configuration."},
			{Alert, 4, "'stats socket' : no."},
		}},
		{"", nil},
		{"Configuration file is valid\n", nil},
		{"haproxy: cannot execute\n", nil},
	} {
		if diff := cmp.Diff(test.want, ParseMessages(test.output)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}

func TestRelocateReplacesOnlyItsFileName(t *testing.T) {
	m := Message{Text: "Parsing [/run/p.cfg:17]: backend 'shop' (declared at /run/p.cfg:12), /run/xp.cfg:3, /run/p.cfg:99999999999999999999"}
	got := m.Relocate("/run/p.cfg", func(line int) string { return map[int]string{17: "t:16", 12: "line 10"}[line] }).Text
	if want := "Parsing t:16: backend 'shop' (declared at line 10), /run/xp.cfg:3, /run/p.cfg:99999999999999999999"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAlertedLines(t *testing.T) {
	const text = `HAProxy refuses the configuration: [ALERT] 326/014550 (6972) : parsing [/run/a.conf:10] : unknown option 'httpblog'.
[WARNING] 326/014550 (6972) : parsing [/run/a.conf:15] : hiding headers.
[ALERT]    (6994) : config : [/run/a.conf:4] : 'stats socket' : no.
[ALERT]    (6994) : config : parsing [/run/a.conf:0] : nowhere.
[ALERT]    (6994) : config : parsing [/run/a.conf:99999999999999999999] : nowhere.
[ALERT]    (6994) : config : Fatal errors found in configuration.
[ALERT]    (6994) : config : backend 'web' : see [/run/a.conf:7] and [/run/a.conf:8].
`
	if diff := cmp.Diff([]int{10, 4, 7}, AlertedLines(text)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

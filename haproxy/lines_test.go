package haproxy

import (
	"strings"
	"testing"
)

func TestCheckLineRejectsContradictions(t *testing.T) {
	servers, err := ParseServerTemplate(DefaultServerTemplate, "web", 2)
	if err != nil {
		t.Fatal(err)
	}
	checked := Backend{Name: "web", Mode: "http", HTTPCheck: "GET /", Servers: servers}
	plain := Backend{Name: "web", Mode: "http", Servers: servers}
	for _, test := range []struct {
		backend Backend
		line    string
		says    string // empty: it is accepted
	}{
		{plain, "timeout server 5m", ""},
		{plain, "http-check expect status 200", ""},
		{plain, "option httpchk HEAD /", ""},
		{checked, "option httpchk HEAD /", "key httpchk"},
		{checked, "option mysql-check user x", "key httpchk"},
		{plain, "option mysql-check user x", ""},
		{plain, "no option http-server-close", "server_close"},
		{plain, "option http-server-close", "server_close"},
		{plain, "stick-table type ip size 1m", ""},
		{plain, "server sorry 10.0.0.1:80 backup", ""},
		{plain, "server web7 10.0.0.1:80", "name of a slot"},
		{plain, "server-template web 1-3 0.0.0.0:0", "server-template"},
		{plain, "mode tcp", "key mode"},
		{plain, "balance source", "key balance"},
		{plain, "frontend x", "opens another section"},
		{plain, "  listen y", "opens another section"},
		{plain, "\"backend\" z", "opens another section"},
		{plain, "global", "opens another section"},
		{plain, ".if 1", "conditional"},
		{plain, "", "empty"},
		{plain, "# a comment", "comment"},
		{plain, "disabled", "out of service"},
		{plain, "load-server-state-from-file global", "state"},
	} {
		err := CheckLine(test.backend, test.line)
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%q: %v", test.line, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%q: %v, want %q", test.line, err, test.says)
		}
	}
}

func TestSplitWords(t *testing.T) {
	for line, want := range map[string]string{
		"  acl a  path /x # y":            "acl|a|path|/x",
		`stats auth 'a:b # c' "d e"`:      "stats|auth|a:b # c|d e",
		`option httpchk GET\ /x\r\nHost:`: "option|httpchk|GET /x\r\nHost:",
		`a"b"c`:                           "abc",
		"# all":                           "",
		"":                                "",
		"a\tb":                            "a|b",
		`'\' x`:                           `\|x`,
	} {
		if got := strings.Join(splitWords(line), "|"); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func TestTemplateWithByteOrderMark(t *testing.T) {
	_, err := ParseTemplate("\uFEFFglobal\n$sockets\n$backend\n")
	if err == nil || !strings.Contains(err.Error(), "line 1: the file begins with a byte order mark") || strings.Contains(err.Error(), "missing") {
		t.Errorf("%v", err)
	}
}

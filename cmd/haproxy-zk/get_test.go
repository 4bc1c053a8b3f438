package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/config"
)

// answering is a server that answers its request's path, on address.
func answering(t *testing.T, address string, code int, header http.Header) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), header)
		w.WriteHeader(code)
		fmt.Fprintln(w, r.URL.EscapedPath())
	}))
	server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestHealthcheck(t *testing.T) {
	well := answering(t, ":0", http.StatusOK, nil)
	ill := answering(t, "127.0.0.1:0", http.StatusInternalServerError, nil)
	for _, test := range []struct {
		addr string
		well bool
	}{
		{":" + well, true},
		{"0.0.0.0:" + well, true},
		{"[::]:" + well, true},
		{"127.0.0.1:" + well, true},
		{"localhost:" + well, true},
		{":" + ill, false},
		{"127.0.0.1:1", false},
		{"nonsense", false},
	} {
		cmd := newHealthcheck(&settings{config.Process{HTTPAddr: test.addr}})
		cmd.SetArgs(nil)
		cmd.SetContext(t.Context())
		if err := cmd.RunE(cmd, nil); (err == nil) != test.well {
			t.Errorf("%s: %v", test.addr, err)
		}
	}
}

func TestGet(t *testing.T) {
	stale := http.Header{"Haproxy-Zk-Stale": {"1"}, "Age": {"7"}}
	for _, test := range []struct {
		args   []string
		code   int
		header http.Header
		out    string
		err    string
	}{
		{nil, 200, nil, "/\n", ""},
		{[]string{"ngboss"}, 200, nil, "/ngboss\n", ""},
		{[]string{"/ngboss/web"}, 200, nil, "/ngboss/web\n", ""},
		{[]string{"a b/c?"}, 200, nil, "/a%20b/c%3F\n", ""},
		{[]string{"a/b/10.0.0.1:80"}, 404, nil, "", `"a/b/10.0.0.1:80" is not [PROXY[/GROUP]]`},
		{nil, 200, stale, "/\n", "unreachable for 7 s"},
		{nil, 200, http.Header{"Haproxy-Zk-Held": {"3"}}, "/\n", "3 of these instances have deregistered and are held"},
		{[]string{"nothing"}, 404, nil, "", "answered 404: \"/nothing\\n\""},
	} {
		var out, said bytes.Buffer
		cmd := newGet(&settings{config.Process{HTTPAddr: "127.0.0.1:" + answering(t, "127.0.0.1:0", test.code, test.header)}})
		cmd.SetOut(&out)
		cmd.SetErr(&said)
		cmd.SetContext(t.Context())
		if err := cmd.RunE(cmd, test.args); err != nil {
			io.WriteString(&said, err.Error()) //nolint:errcheck // a buffer
		} else if test.code != 200 {
			t.Errorf("%q: no error", test.args)
		}
		if out.String() != test.out || !strings.Contains(said.String(), test.err) || (test.err == "") != (said.Len() == 0) {
			t.Errorf("%q: %q, %q", test.args, out.String(), said.String())
		}
	}
}

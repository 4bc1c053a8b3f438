package haproxy

import (
	"strings"
	"testing"
)

func TestFullWeight(t *testing.T) {
	for _, test := range []struct {
		defaults, balance, params string
		lines                     []string
		want                      int
	}{
		{"", "", "check", nil, 0},
		{"", "", "check weight 100", nil, 100},
		{"", "", "weight 1", nil, 0},
		{"", "", "weight 300", nil, 0},
		{"", "leastconn", "weight 50", nil, 50},
		{"", "random(2)", "weight 50", nil, 50},
		{"", "source", "weight 50", nil, 0},
		{"", "static-rr", "weight 50", nil, 0},
		{"balance uri", "", "weight 50", nil, 0},
		{"balance uri", "roundrobin", "weight 50", nil, 50},
		{"", "roundrobin", "weight 50", []string{"balance source"}, 0},
		{"default-server weight 20", "", "check", nil, 20},
		{"", "", "check", []string{"default-server weight 30"}, 30},
	} {
		tmpl, err := ParseTemplate("global\n$sockets\ndefaults\nmode http\n" + test.defaults + "\nfrontend f\nbind *:$listener_port\n$acl\n$use_backend\n$default_backend\n$backend\n")
		if err != nil {
			t.Fatal(err)
		}
		b := Backend{Name: "a", Mode: "http", Balance: test.balance, Lines: test.lines, Servers: ServerTemplate{Params: strings.Fields(test.params)}}
		if got := tmpl.FullWeight(b); got != test.want {
			t.Errorf("%+v: got %d", test, got)
		}
	}
}

func TestShare(t *testing.T) {
	for _, test := range []struct {
		full, percent int
		want          Weight
	}{
		{100, 0, 0}, {100, 100, 0}, {100, 50, 50}, {100, 1, 1}, {100, 256, 256}, {50, 50, 25}, {50, 1, 1}, {200, 256, 256}, {1, 50, 0}, {0, 50, 0},
	} {
		if got := Share(test.full, test.percent); got != test.want {
			t.Errorf("%d %% of %d: got %d, want %d", test.percent, test.full, got, test.want)
		}
	}
}

package haproxy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseServerTemplate(t *testing.T) {
	check := strings.Fields("check inter 2000 rise 1 fall 2")
	for text, want := range map[string]ServerTemplate{
		DefaultServerTemplate: {Prefix: "web-a", First: 1, Last: 20, Free: "0.0.0.0:0", Params: check},
		"${group_name} 1-${max_server} 0.0.0.0:0 check inter 2000 rise 1 fall 2 disabled": {Prefix: "web-a", First: 1, Last: 20, Free: "0.0.0.0:0", Params: check},
		"${group_name} ${min_server}-${max_server} ${ip_port} disabled":                   {Prefix: "web-a", First: 1, Last: 20, Free: "0.0.0.0:0", Params: []string{}},
		"node 3-7 127.0.0.1:9 check": {Prefix: "node", First: 3, Last: 7, Free: "127.0.0.1:9", Params: []string{"check"}},
		"node 9 [::]:0 disabled":     {Prefix: "node", First: 1, Last: 9, Free: "[::]:0", Params: []string{}},
	} {
		got, err := ParseServerTemplate(text, "web-a", 20)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: -want +got\n%s", text, diff)
		}
	}
	for _, bad := range []string{
		"", "web 1-20", "web 0-3 0.0.0.0:0", "web 5-2 0.0.0.0:0", "web 1-x 0.0.0.0:0", "web 1-99999 0.0.0.0:0",
		"we/b 1-2 0.0.0.0:0", "web:1 1-2 0.0.0.0:0", "web 1-2 ${port}:0", "web 1-2 nowhere", "web 1-2-3 0.0.0.0:0", "web -3 0.0.0.0:0",
	} {
		if got, err := ParseServerTemplate(bad, "web-a", 20); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, got)
		}
	}
}

func TestNamesAll(t *testing.T) {
	template := ServerTemplate{Prefix: "web-2", First: 3, Last: 4}
	for servers, want := range map[string]bool{
		"web-23": true, "web-23 web-24 web-2500": true, "": true,
		"web-22": false, "web-23 web-2x": false, "web-203": false, "web-2": false, "web-2+3": false, "3": false, "x": false, "web-299999999999999999999": false,
	} {
		state := make(map[string]Server)
		for name := range strings.FieldsSeq(servers) {
			state[name] = Server{}
		}
		if got := template.NamesAll(state); got != want {
			t.Errorf("%q: %v", servers, got)
		}
	}
}

func FuzzParseServerTemplate(f *testing.F) {
	f.Add(DefaultServerTemplate, "web", 10)
	f.Add("a 1-2 b:c disabled", "web", -1)
	f.Fuzz(func(t *testing.T, text, group string, maxServer int) {
		got, err := ParseServerTemplate(text, group, maxServer)
		if err == nil && (got.Size() < 1 || got.Size() > MaxSlots || got.First < 1) {
			t.Errorf("%q: got %+v", text, got)
		}
	})
}

package config

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"zk.addr", "zk.path", "groups", "exec", "mode", "acls", "listener_port", "server-template"}
	for name, want := range map[string]string{
		"zk_addr":         "zk.addr",
		"zk.paht":         "zk.path",
		"Groups":          "groups",
		"ACLS":            "acls",
		"exce":            "exec",
		"listenport":      "listener_port",
		"listen_port":     "listener_port",
		"server_template": "server-template",
		"comment":         "",
		"x":               "",
		"":                "",
	} {
		got, ok := Nearest(name, known)
		if got != want || ok != (want != "") {
			t.Errorf("Nearest(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"kitten", "sitting", 3},
		{"exec", "exec", 0},
		{"exce", "exec", 2},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

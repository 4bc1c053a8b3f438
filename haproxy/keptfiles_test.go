package haproxy

import (
	"strings"
	"testing"
)

// A kept client holds several server connections, for which maxconn reserves no
// descriptors.
func TestDescriptorsAreReservedForKeptClients(t *testing.T) {
	for _, test := range []struct {
		name, global, defaults string
		files                  uint64
		pipes, says            string // says is of the note
	}{
		{"by default", "maxconn 1000", "", 8500, "    maxpipes 3000\n", ""},
		{"more connections", "maxconn 1000", "max-session-srv-conns 9", 20000, "    maxpipes 5000\n", ""},
		{"an unknown limit", "maxconn 1000", "", 0, "    maxpipes 3000\n", ""},
		{"too few", "maxconn 1000", "", 8499, "", "1000 kept clients may take 8500 descriptors, and the limit of open files is 8499"},
		{"no maxconn", "daemon", "", 20000, "", "without a number"},
		{"maxconn of the environment", `maxconn "$N"`, "", 20000, "", "without a number"},
		{"pipes are used", "maxconn 1000", "option splice-auto", 20000, "", "`option splice-auto` takes"},
		{"maxpipes is set", "maxconn 1000\n    maxpipes 10", "", 20000, "", "`maxpipes` keeps descriptors"},
		{"ulimit-n is set", "maxconn 1000\n    ulimit-n 9000", "", 20000, "", "`ulimit-n` keeps descriptors"},
	} {
		template := parsed(t, "global\n    "+test.global+"\n$sockets\ndefaults\n    mode http\n    "+test.defaults+"\nfrontend public\n    bind :80\n$default_backend\n$backend\n")
		f, b := Frame{Version: Version{Major: 2}, Files: test.files}, Backend{Name: "web", Mode: "http"}
		text := string(template.Render(f, []Backend{b}, make([][]Row, 1)))
		if closes := strings.Contains(text, "option http-server-close"); closes != (test.pipes == "") || !strings.Contains(text, test.pipes) {
			t.Errorf("%s:\n%s", test.name, text)
		}
		traps := template.RenewalTraps(f, b)
		if (len(traps) > 0) != (test.says != "") || len(traps) > 0 && (!strings.Contains(traps[0].Text, test.says) || traps[0].Line == 0) {
			t.Errorf("%s: notes: %+v", test.name, traps)
		}
	}
}

func TestBuiltinMaxconnLeavesDescriptorsForKeptClients(t *testing.T) {
	for _, test := range []struct {
		files   uint64
		minor   int
		maxconn string
		renews  bool
	}{
		{1 << 20, 0, "maxconn 100000", true},
		{1 << 20, 6, "maxconn 100000", false},
		{1 << 19, 0, "maxconn 65473", true},
		{20000, 0, "maxconn 9749", false},
		{0, 0, "maxconn 20000", true},
	} {
		v := Version{Major: 2, Minor: test.minor}
		template, err := Builtin{Mode: "http", Version: v}.Template()
		if err != nil {
			t.Fatal(err)
		}
		f, b := Frame{Version: v, Files: test.files}, Backend{Name: "web", Mode: "http"}
		if renews := template.Renews(f)(b); renews != test.renews {
			t.Errorf("%d files: kept clients renew: %t", test.files, renews)
		}
		if text := string(template.Render(f, []Backend{b}, [][]Row{{{}}})); !strings.Contains(text, test.maxconn+"\n") {
			t.Errorf("%d files: no line %q:\n%s", test.files, test.maxconn, text)
		}
	}
}

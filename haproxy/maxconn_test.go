package haproxy

import (
	"fmt"
	"strings"
	"testing"
)

func TestFitMaxConn(t *testing.T) {
	for _, test := range []struct{ files, needed, want uint64 }{
		{0, 520, 20_000},
		{256, 520, 100},
		{600, 520, 100},
		{1024, 520, 252},
		{20_000, 520, 9740},
		{65_536, 520, 32_508},
		{1 << 20, 520, 100_000},
		{1 << 20, 1_000_000, 24_288},
		{1<<63 - 1, 520, 100_000},
	} {
		if got := FitMaxConn(test.files, test.needed); got != test.want {
			t.Errorf("%d files, %d needed: maxconn %d, want %d", test.files, test.needed, got, test.want)
		}
	}
}

// More slots leave fewer file descriptors for connections. A user's template is rendered
// unchanged.
func TestOnlyBuiltinTemplatesFitMaxConn(t *testing.T) {
	f, backends, rows := seedShape(t, 1)
	f.Files = 10_000
	for _, mode := range []string{"http", "tcp"} {
		template, err := Builtin{Mode: mode, Version: f.Version}.Template()
		if err != nil {
			t.Fatal(err)
		}
		config := template.Render(f, backends, rows)
		if wanted, _ := Files(config, 14, 3); wanted > f.Files || wanted < f.Files-1 {
			t.Errorf("%s: %d descriptors wanted of %d", mode, wanted, f.Files)
		}
		if line := fmt.Sprintf("    maxconn %d\n", (f.Files-ReservedFiles(14))/2); !strings.Contains(string(config), line) {
			t.Errorf("%s: no line %q", mode, line)
		}
	}
	own, err := ParseTemplate("global\n    maxconn $maxconn\n    $sockets\n$backend")
	if err != nil {
		t.Fatal(err)
	}
	if config := string(own.Render(f, backends, rows)); !strings.Contains(config, "maxconn $maxconn\n") {
		t.Errorf("a user's template was changed:\n%s", config)
	}
}

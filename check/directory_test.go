package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

func TestCheckDirectory(t *testing.T) {
	dir := t.TempDir()
	file, open := filepath.Join(dir, "file"), filepath.Join(dir, "open")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ dir, severity, text string }{
		{dir, "", ""},
		{"", "", ""},
		{filepath.Join(dir, "not yet"), isWarning, "waited for"},
		{file, isError, "is not a directory"},
		{filepath.Join(file, "x"), isError, "not a directory"},
		{open, isWarning, "everybody on this host"},
	} {
		found := checkDirectory(config.Proxy{Name: "web", Dir: test.dir})
		switch {
		case test.text == "" && len(found) > 0,
			test.text != "" && (len(found) != 1 || found[0].Severity != test.severity || found[0].Where != "web.dir" || !strings.Contains(found[0].Text, test.text) || found[0].Remedy == ""):
			t.Errorf("%s: %+v", test.dir, found)
		}
	}
}

func TestReadDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "web", "instances"), 0o700),
		os.WriteFile(filepath.Join(dir, "web", "instances", "10.0.0.1:80"), nil, 0o600),
		os.WriteFile(filepath.Join(dir, "web", "instances", "host:80"), nil, 0o600),
		os.WriteFile(filepath.Join(dir, "api.instances"), []byte("169.254.0.1:80\n10.0.0.2:80-0000000001\n"), 0o600),
		unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p := config.Proxy{Name: "p", Dir: dir, Groups: []config.Group{{Name: "web"}, {Name: "none"}}, Discover: &config.Discovery{Parent: "/services", Entry: config.Group{Decoding: decode.Options{Format: decode.Auto}, Path: "/services/${group}/instances"}}}
	found, names := readDirectory(t.Context(), p, syncer.NewListeners())
	if len(names) != 1 || names[0] != "api" {
		t.Errorf("discovered %q", names)
	}
	var text strings.Builder
	for _, f := range found {
		text.WriteString(f.Severity + " " + f.Where + ": " + f.Text + "\n")
	}
	for _, want := range []string{
		`: 1 name skipped, as "pipe": a FIFO`, `web: 1 name skipped, as "host:80"`, "instance 169.254.0.1:80 is skipped", "none/instances has no instances",
		"p.groups.*.format: " + dir + "/api: 1 registration read as name",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, text.String())
		}
	}
	if n := strings.Count(text.String(), "warning p.dir: "); n != 4 || len(found) != 5 {
		t.Errorf("%d findings:\n%s", len(found), text.String())
	}
}

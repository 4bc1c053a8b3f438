//go:build release

package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// SHA256SUMS has the correct sums of all archives and packages.
func TestChecksums(t *testing.T) {
	for _, dist := range []string{made.dist, made.snapshot} {
		text, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		kinds := make(map[string]int)
		for line := range strings.Lines(string(text)) {
			want, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
			content, err := os.ReadFile(filepath.Join(dist, name))
			if !ok || err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if got := sha256.Sum256(content); hex.EncodeToString(got[:]) != want {
				t.Errorf("%s has the sum %x, not %s", name, got, want)
			}
			kinds[filepath.Ext(name)]++
		}
		if diff := cmp.Diff(map[string]int{".gz": 3, ".deb": 3, ".rpm": 3}, kinds); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}

func TestVersionOfTheArchive(t *testing.T) {
	root := t.TempDir()
	output(t, "tar", "-C", root, "-xzf", platforms()[0].file("tar.gz"))
	if got := strings.TrimSpace(string(output(t, filepath.Join(root, "haproxy-zk"), "version"))); !strings.HasPrefix(got, "haproxy-zk "+version+"\n") {
		t.Errorf("it says %q", got)
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md", "haproxy-zk.service", "config.json", "docs/configuration.md", "docs/operations.md", "SECURITY.md", "man/haproxy-zk.8.gz", "completions/haproxy-zk.bash"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
}

// The packages have the same files, and no configuration.
func TestPackages(t *testing.T) {
	want := []string{
		"/etc/default/haproxy-zk",
		"/usr/bin/haproxy-zk",
		"/usr/lib/systemd/system/haproxy-zk.service",
		"/usr/lib/sysusers.d/haproxy-zk.conf",
		"/usr/share/bash-completion/completions/haproxy-zk",
		"/usr/share/doc/haproxy-zk/copyright",
		"/usr/share/doc/haproxy-zk/examples/config.json",
		"/usr/share/fish/vendor_completions.d/haproxy-zk.fish",
		"/usr/share/zsh/vendor-completions/_haproxy-zk",
	}
	pages := t.TempDir()
	output(t, "go", "-C", "../..", "run", "-tags", "release", "./cmd/haproxy-zk", "man", pages)
	for pattern, installed := range map[string]string{
		"../../docs/*.md":                  "/usr/share/doc/haproxy-zk/%s",
		"../../docs/deploy/*.md":           "/usr/share/doc/haproxy-zk/deploy/%s",
		"../../docs/zh-CN/*.md":            "/usr/share/doc/haproxy-zk/zh-CN/%s",
		"../../docs/zh-CN/deploy/*.md":     "/usr/share/doc/haproxy-zk/zh-CN/deploy/%s",
		filepath.Join(pages, "man", "*.8"): "/usr/share/man/man8/%s.gz",
	} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			want = append(want, fmt.Sprintf(installed, filepath.Base(file)))
		}
	}
	slices.Sort(want)
	for _, command := range []string{"", "-check", "-explain", "-log-level", "-register", "-run", "-top"} {
		if page := "/usr/share/man/man8/haproxy-zk" + command + ".8.gz"; !slices.Contains(want, page) {
			t.Errorf("there is no %s", page)
		}
	}
	for _, p := range platforms() {
		deb, rpm := p.file("deb"), p.file("rpm")
		root := t.TempDir()
		output(t, "dpkg-deb", "--raw-extract", deb, root)
		var inDeb []string
		err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
			name := strings.TrimPrefix(path, root)
			if err == nil && !entry.IsDir() && !strings.HasPrefix(name, "/DEBIAN/") {
				inDeb = append(inDeb, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		inRPM := strings.Fields(string(output(t, "rpm", "--query", "--list", "--package", rpm)))
		slices.Sort(inRPM)
		inRPM = slices.DeleteFunc(inRPM, func(name string) bool {
			directories := []string{"", "/deploy", "/examples", "/zh-CN", "/zh-CN/deploy"}
			return slices.Contains(directories, strings.TrimPrefix(name, "/usr/share/doc/haproxy-zk"))
		})
		slices.Sort(inDeb)
		for format, got := range map[string][]string{"deb": inDeb, "rpm": inRPM} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s for %s: -want +got\n%s", format, p.arch, diff)
			}
		}

		conffiles, err := os.ReadFile(filepath.Join(root, "DEBIAN/conffiles"))
		if err != nil || strings.TrimSpace(string(conffiles)) != "/etc/default/haproxy-zk" {
			t.Errorf("conffiles: %q, %v", conffiles, err)
		}
		environment, err := os.ReadFile(filepath.Join(root, "etc/default/haproxy-zk"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(environment) {
			if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
				t.Errorf("/etc/default/haproxy-zk configures: %s", line)
			}
		}
		if got := strings.TrimSpace(string(output(t, "dpkg-deb", "--field", deb, "Architecture"))); got != p.deb {
			t.Errorf("the deb is for %s, want %s", got, p.deb)
		}
		for tag, name := range map[string]string{"POSTIN": "postinstall", "PREUN": "preremove", "POSTUN": "postremove"} {
			script, err := os.ReadFile(filepath.Join("../../build/package", name))
			if err != nil {
				t.Fatal(err)
			}
			got := output(t, "rpm", "--query", "--queryformat", "%{"+tag+"}", "--package", rpm)
			if diff := cmp.Diff(strings.TrimSpace(string(script)), strings.TrimSpace(string(got))); diff != "" {
				t.Errorf("%s of the rpm for %s: -want +got\n%s", tag, p.arch, diff)
			}
		}
		if got := string(output(t, "rpm", "--query", "--queryformat", "%{ARCH}", "--package", rpm)); got != p.rpm {
			t.Errorf("the rpm is for %s, want %s", got, p.rpm)
		}
	}
}

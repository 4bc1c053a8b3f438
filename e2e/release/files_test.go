//go:build release

package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md", "haproxy-zk.service", "config.json", "docs/configuration.md", "docs/operations.md", "SECURITY.md"} {
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
		"/usr/share/doc/haproxy-zk/configuration.md",
		"/usr/share/doc/haproxy-zk/copyright",
		"/usr/share/doc/haproxy-zk/examples/config.json",
		"/usr/share/doc/haproxy-zk/faults.md",
		"/usr/share/doc/haproxy-zk/migration.md",
		"/usr/share/doc/haproxy-zk/operations.md",
		"/usr/share/doc/haproxy-zk/performance.md",
		"/usr/share/doc/haproxy-zk/security.md",
		"/usr/share/doc/haproxy-zk/troubleshooting.md",
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
			return name == "/usr/share/doc/haproxy-zk" || name == "/usr/share/doc/haproxy-zk/examples"
		})
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

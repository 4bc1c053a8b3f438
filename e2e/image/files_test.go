package image

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Without VERSION a build has the version of the newest heading of the changelog,
// "1.2.3" or "1.2.3, unreleased".
func TestDefaultVersionIsTheNewestOfTheChangelog(t *testing.T) {
	heading := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+)(, unreleased)?$`).FindStringSubmatch(read(t, "CHANGELOG.md"))
	if heading == nil {
		t.Fatal("CHANGELOG.md has no heading with a version")
	}
	want := heading[1]
	if heading[2] != "" {
		want += "-unreleased"
	}
	for file, pattern := range map[string]string{
		"Dockerfile":      `(?m)^ARG VERSION=(.*)$`,
		"docker-bake.hcl": `(?s)variable "VERSION" \{.*?default +=\s+"(.*?)"`,
	} {
		got := regexp.MustCompile(pattern).FindStringSubmatch(read(t, file))
		if got == nil || got[1] != want {
			t.Errorf("the default VERSION of %s is %q, want %q", file, got, want)
		}
	}
}

// RUN_DIR and STATE_DIR of the image are writable for any user, and no user can remove
// another one's files.
func TestDirectoriesOfTheImageSuitAnyUser(t *testing.T) {
	type entry struct {
		Mode     fs.FileMode
		UID, GID int
		Size     int64
	}
	got := make(map[string]entry)
	for archive := tar.NewReader(strings.NewReader(read(t, "build/image/folders.tar"))); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[header.Name] = entry{header.FileInfo().Mode(), header.Uid, header.Gid, header.Size}
	}
	folder := entry{Mode: fs.ModeDir | fs.ModeSticky | 0o777}
	if diff := cmp.Diff(map[string]entry{"run/haproxy-zk/": folder, "var/lib/haproxy-zk/": folder}, got); diff != "" {
		t.Errorf("build/image/folders.tar: -want +got\n%s", diff)
	}
}

func TestBuildWarnsOfAnHAProxyPastItsEndOfLife(t *testing.T) {
	for image, want := range map[string]bool{
		"haproxy:2.0":                                  true,
		"haproxy:2.0.35-alpine":                        true,
		"haproxy:2.2@sha256:0123456789abcdef":          true,
		"registry.example.com:5000/team/haproxy:2.4.1": true,
		"haproxy:3.1-bookworm":                         true,
		"haproxy:2.6":                                  false,
		"haproxy:2.8-alpine":                           false,
		"haproxy:3.2.1":                                false,
		"haproxy:3.10":                                 false,
		"haproxy":                                      false,
		"registry.example.com:5000/haproxy":            false,
	} {
		output, err := exec.CommandContext(t.Context(), "../../build/image/end-of-life", image).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", image, err, output)
		}
		if got := strings.Contains(string(output), "WARNING: "+image+" "); got != want {
			t.Errorf("%s: warns %t, want %t: %s", image, got, want, output)
		}
	}
}

// read returns the text of a file of the repository.
func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

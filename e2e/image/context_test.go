//go:build image

package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// .dockerignore includes all files that the Dockerfiles compile, and excludes large and
// private ones.
func TestBuildContextHasEveryPackage(t *testing.T) {
	got := buildContext(t)
	files := goFiles(t, "./cmd/haproxy-zk", "./e2e/app")
	if len(files) < 50 {
		t.Fatalf("go list names %d files alone", len(files))
	}
	for _, want := range append(files, "go.mod", "go.sum", "build/image/folders.tar", "build/image/end-of-life") {
		if !got[want] {
			t.Errorf("the build context lacks %s", want)
		}
	}
	for file := range got {
		top, _, _ := strings.Cut(file, "/")
		if top == ".git" || top == "bin" || top == "dist" || strings.HasSuffix(file, "_test.go") {
			t.Errorf("the build context has %s", file)
		}
	}
}

// buildContext returns the files that `docker build .` sends to the builder.
func buildContext(t *testing.T) map[string]bool {
	t.Helper()
	dockerfile := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(dockerfile, []byte("FROM scratch\nCOPY . /\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tag, _ := builders(t)[0].build(t, "--file", dockerfile)
	id, err := rig.Docker(t.Context(), "create", tag, "never-run")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := rig.Docker(context.Background(), "rm", id); err != nil {
			t.Error(err)
		}
	}()
	files := make(map[string]bool)
	for archive := tar.NewReader(bytes.NewReader(output(t, "docker", "export", id))); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			files[strings.TrimPrefix(header.Name, "./")] = true
		}
	}
}

// goFiles returns the files of this module that packages are compiled from, relative to
// the repository.
func goFiles(t *testing.T, packages ...string) []string {
	t.Helper()
	var files []string
	for list := json.NewDecoder(bytes.NewReader(output(t, "go", append([]string{"list", "-deps", "-json=Dir,GoFiles,EmbedFiles,Module"}, packages...)...))); list.More(); {
		var p struct {
			Dir                 string
			GoFiles, EmbedFiles []string
			Module              *struct {
				Main bool
				Dir  string
			}
		}
		if err := list.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		dir, err := filepath.Rel(p.Module.Dir, p.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range append(p.GoFiles, p.EmbedFiles...) {
			files = append(files, filepath.Join(dir, file))
		}
	}
	return files
}

// output runs a command in the repository and returns its output.
func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return text
}

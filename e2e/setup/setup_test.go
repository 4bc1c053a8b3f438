package setup

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// host is a checkout with the setup scripts, on a machine whose programs are those of
// the test and of a shell.
type host struct {
	t   *testing.T
	dir string
	env []string
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir()}
	for _, file := range []string{"go.mod", "build/setup", "build/haproxy", "build/mirror", "build/prometheus"} {
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		h.write("checkout/"+file, string(text))
	}
	for program := range strings.FieldsSeq("awk basename cat cp cut dirname env find grep head ls mkdir mktemp mv rm sed sh sort tail timeout tr") {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(h.dir, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(h.dir, "bin", program)); err != nil {
			t.Fatal(err)
		}
	}
	h.env = []string{"PATH=" + filepath.Join(h.dir, "bin"), "DEBIAN_ARCHIVE=http://archive.invalid/debian", "CALLS=" + filepath.Join(h.dir, "calls")}
	h.program("dpkg", "echo amd64")
	return h
}

func (h *host) write(name, text string) {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

// program puts a shell script on the host's PATH.
func (h *host) program(name, script string) {
	h.t.Helper()
	h.write("bin/"+name, "#!/bin/sh\n"+script+"\n")
}

// apt is an apt-get that records its calls. It has one source, and otherwise does what
// script says.
func (h *host) apt(script string) {
	h.t.Helper()
	h.program("apt-get", `case "$1" in indextargets) echo "http://mirror.invalid/debian bookworm"; exit;; esac
echo "$@" >>$CALLS
`+script)
}

// run runs a script of the checkout, and returns its exit code and output.
func (h *host) run(checkout, script string, args ...string) (int, string) {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), filepath.Join(h.dir, checkout, "build", script), args...)
	cmd.Env = h.env
	output, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(output)
}

func (h *host) read(name string) string {
	text, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		return ""
	}
	return string(text)
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

// All obstacles are reported at once, before anything is changed.
func TestFailedSetupChangesNothing(t *testing.T) {
	h := newHost(t)
	h.apt("exit 0")
	h.program("go", "echo go1.22.1")
	h.program("id", "echo 1000")
	code, said := h.run("checkout", "setup", "tests")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	contains(t, said, "Go 1.26 or later is needed", "is go1.22.1", "https://go.dev/dl", "As root: apt-get install", "default-jre-headless", "default-jdk-headless")
	if calls := h.read("calls"); calls != "" {
		t.Errorf("apt-get was called: %s", calls)
	}

	h = newHost(t)
	code, said = h.run("checkout", "setup", "demo")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	contains(t, said, "Go is not on PATH", "no apt-get to install")
}

// If neither the mirror nor the archive has a version, the message names both.
func TestVersionMissingInAllArchives(t *testing.T) {
	h := newHost(t)
	h.apt(`case "$*" in *update) ;; *) exit 1;; esac
for o; do case $o in Dir=*) root=${o#Dir=};; esac; done
echo "E: Failed to fetch $(cut -d ' ' -f 3 $root/etc/apt/sources.list): 404" >&2; exit 100`)
	code, said := h.run("checkout", "haproxy", "2.2")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "checkout/bin/haproxy-2.2")); err == nil {
		t.Error("a folder is left that passes for an HAProxy")
	}
	missing := h.read("checkout/bin/haproxy-2.2.missing")
	for _, text := range []string{said, missing} {
		contains(t, text, "http://mirror.invalid/debian does not give it: Failed to fetch http://mirror.invalid/debian: 404",
			"http://archive.invalid/debian does not give it: Failed to fetch http://archive.invalid/debian: 404")
	}
}

// A version that has left the mirror comes from the archive of old releases; if the
// checkout is moved it is linked again, without apt.
func TestVersionComesFromTheArchiveAndSurvivesAMove(t *testing.T) {
	h := newHost(t)
	h.apt(`for o; do case $o in Dir=*) root=${o#Dir=};; esac; done
grep -q archive.invalid $root/etc/apt/sources.list || { echo "E: Release file is gone" >&2; exit 100; }
case "$*" in *haproxy*) echo >$root/var/cache/apt/archives/haproxy.deb;; esac`)
	h.program("dpkg-deb", `mkdir -p $3/usr/sbin $3/usr/bin $3/usr/lib/x86_64-linux-gnu
echo >$3/usr/bin/patchelf
printf '#!/bin/sh\necho "$@" >>$CALLS\n' >$3/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
printf '#!/bin/sh\necho HA-Proxy version 2.2.9-2\n' >$3/usr/sbin/haproxy
/bin/chmod 755 $3/usr/sbin/haproxy $3/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2`)
	if code, said := h.run("checkout", "haproxy", "2.2"); code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	if _, said := h.run("checkout", "haproxy", "--missing", "2.2"); said != "" {
		t.Errorf("missing: %s", said)
	}
	contains(t, h.read("calls"), "--set-interpreter "+h.dir+"/checkout/bin/haproxy-2.2/root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
		"--force-rpath --set-rpath $ORIGIN/root/usr/lib/x86_64-linux-gnu")

	if err := os.Rename(filepath.Join(h.dir, "checkout"), filepath.Join(h.dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if _, said := h.run("moved", "haproxy", "--missing", "2.2"); said != " 2.2" {
		t.Errorf("after the move %q is missing", said)
	}
	h.apt("exit 100")
	if code, said := h.run("moved", "haproxy", "2.2"); code != 0 {
		t.Errorf("exit code %d: %s", code, said)
	}
	contains(t, h.read("calls"), "--set-interpreter "+h.dir+"/moved/bin/haproxy-2.2/root/usr/lib")
}

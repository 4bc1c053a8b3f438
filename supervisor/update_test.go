package supervisor

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// files returns a launch with a map in a directory that may be missing.
func (s *stage) files(config, dir string) registry.Launch {
	return registry.Launch{Config: []byte(config), Maps: []registry.Map{{Path: filepath.Join(s.dir, dir, "x.map"), Text: []byte("/web/ web\n")}}}
}

// turned waits until Run has handled everything before this.
func (s *stage) turned() {
	s.t.Helper()
	if _, err := s.Adopt(s.t.Context(), registry.Launch{}); err == nil {
		s.t.Error("a second generation was adopted")
	}
}

func (s *stage) fileBecomes(config string) {
	s.t.Helper()
	eventually(s.t, "the file is "+config, func() bool {
		text, err := os.ReadFile(s.ConfFile)
		return err == nil && string(text) == config
	})
}

func TestFilesAreRewrittenWhileHAProxyRuns(t *testing.T) {
	s := startStage(t, Options{})
	pids := s.reload("workers 2")
	rejected := s.ConfFile + ".new"
	if err := os.WriteFile(rejected, []byte("rejected"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Rewrite(s.files("workers 2 # more", ""))
	s.fileBecomes("workers 2 # more")
	if got := contents(t, filepath.Join(s.dir, "x.map")); got != "/web/ web\n" {
		t.Errorf("the map is %q", got)
	}
	if info, err := os.Stat(s.ConfFile); err != nil || info.Mode().Perm() != confMode {
		t.Errorf("%v, %v", info, err)
	}
	if got := contents(t, rejected); got != "rejected" {
		t.Errorf("the rejected configuration became %q", got)
	}
	if left, _ := filepath.Glob(s.ConfFile + ".next"); left != nil {
		t.Errorf("%q remain", left)
	}
	s.assertNotSignaled(pids...)
}

// Files are written only if their content is another one.
func TestSameFilesAreNotWritten(t *testing.T) {
	s := startStage(t, Options{})
	s.reload("workers 2")
	same := registry.Launch{Config: []byte("workers 2")}
	if err := os.WriteFile(s.ConfFile, []byte("edited"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Rewrite(same)
	eventually(t, "it is taken", func() bool { return s.update.wanted.Load() == nil })
	s.turned()
	if _, err := s.try(t.Context(), "refuse"); err == nil { // waits for whatever is being written, and restores the file
		t.Error("no error")
	}
	if got := contents(t, s.ConfFile); got != "edited" {
		t.Errorf("it became %q", got)
	}
}

// What could not be written is tried again.
func TestFilesAreRewrittenOnceThereIsRoom(t *testing.T) {
	s := startStage(t, Options{})
	s.reload("workers 2")
	s.Rewrite(s.files("workers 2 # more", "missing"))
	if _, err := s.try(t.Context(), "refuse"); err == nil { // nothing is forgotten
		t.Error("no error")
	}
	if got := contents(t, s.ConfFile); got != "workers 2" {
		t.Errorf("it became %q", got)
	}
	if err := os.Mkdir(filepath.Join(s.dir, "missing"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.fileBecomes("workers 2 # more")
}

// A reload makes older files obsolete.
func TestReloadReplacesFilesThatWait(t *testing.T) {
	s := startStage(t, Options{})
	s.reload("workers 2")
	s.Rewrite(s.files("workers 2 # older", "missing"))
	s.reload("workers 2 # newer")
	if err := os.Mkdir(filepath.Join(s.dir, "missing"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.turned()
	if s.update.wanted.Load() != nil {
		t.Error("older files still wait")
	}
	if got := contents(t, s.ConfFile); got != "workers 2 # newer" {
		t.Errorf("it became %q", got)
	}
}

// A disk that does not answer delays a stop by a moment.
func TestStopDoesNotWaitForTheDisk(t *testing.T) {
	s := newStage(t, Options{})
	s.update.writing = &writing{&registry.Launch{}, make(chan error)}
	began := time.Now()
	s.begin()
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > soon/2 {
		t.Errorf("it took %v", took)
	}
}

// A reload waits for the disk no longer than it may take.
func TestReloadWaitsForTheDiskOnlySoLong(t *testing.T) {
	s := newStage(t, Options{})
	s.update.writing = &writing{&registry.Launch{}, make(chan error)}
	s.lastReload = time.Nanosecond
	s.begin()
	if _, err := s.try(t.Context(), "workers 2"); err == nil {
		t.Error("no error")
	}
}

// BenchmarkFiles compares and writes the files of 20,000 servers.
func BenchmarkFiles(b *testing.B) {
	config := bytes.Repeat([]byte("    server 10.0.0.1:80 10.0.0.1:80 check inter 2000 downinter 500 guid web:10.0.0.1:80\n"), 20_000)
	h := New(Options{ConfFile: filepath.Join(b.TempDir(), "haproxy.cfg")})
	launch := registry.Launch{Config: config}
	b.Run("compare", func(b *testing.B) {
		for b.Loop() {
			contentOf(&launch)
		}
	})
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			if err := h.writeFiles(launch, nextSuffix); err != nil {
				b.Fatal(err)
			}
		}
	})
}

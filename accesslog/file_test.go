package accesslog

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func newTestFile(t *testing.T, path string) (*file, *bytes.Buffer) {
	t.Helper()
	said := new(bytes.Buffer)
	f := newFile(path, slog.New(slog.NewTextHandler(said, nil)))
	t.Cleanup(func() {
		if f.now != nil {
			f.now.Close()
		}
	})
	return f, said
}

// lines writes numbered lines and returns the errors.
func (f *file) lines(from, to int) (errs []error) {
	for i := from; i < to; i++ {
		if _, err := fmt.Fprintf(f, "line %d\n", i); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func wantLines(t *testing.T, from, to int, paths ...string) {
	t.Helper()
	var want strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	var got []byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, text...)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("%v: -want +got\n%s", paths, diff)
	}
}

// What logrotate does with `create`, with `nocreate` and a signal, and with
// `copytruncate`, loses no line, and each goes to one file only.
func TestRotationLosesNoLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(suffix string) string { return filepath.Join(dir, "access.log"+suffix) }
	f, said := newTestFile(t, path(""))
	rename := func(to string) {
		t.Helper()
		if err := os.Rename(path(""), path(to)); err != nil {
			t.Fatal(err)
		}
	}
	errs := f.lines(0, 10)
	rename(".1")
	errs = append(errs, f.lines(10, 20)...) // the path is missing: they go to the renamed file
	if err := os.WriteFile(path(""), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	errs = append(errs, f.lines(20, 30)...)
	wantLines(t, 0, 20, path(".1"))
	wantLines(t, 20, 30, path(""))

	rename(".2")
	errs = append(errs, f.lines(30, 40)...)
	f.reopen.Store(true)
	if _, err := f.Write(nil); err != nil {
		t.Error(err)
	}
	wantLines(t, 20, 40, path(".2"))
	wantLines(t, 40, 40, path("")) // it is there before the next line

	errs = append(errs, f.lines(40, 50)...)
	text, err := os.ReadFile(path(""))
	if err == nil {
		err = errors.Join(os.WriteFile(path(".3"), text, 0o600), os.Truncate(path(""), 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	errs = append(errs, f.lines(50, 60)...)
	wantLines(t, 40, 50, path(".3"))
	wantLines(t, 50, 60, path(""))
	if len(errs) > 0 || said.Len() > 0 {
		t.Errorf("%v\n%s", errs, said)
	}
}

func TestNewFileHasNarrowMode(t *testing.T) {
	t.Parallel()
	f, _ := newTestFile(t, filepath.Join(t.TempDir(), "access.log"))
	if errs := f.lines(0, 1); errs != nil {
		t.Fatal(errs)
	}
	if info, err := os.Stat(f.path); err != nil || info.Mode().Perm()&0o137 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Where others may write, a line must not reach a file that is meant for something else.
func TestForeignFilesAreNotWritten(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]func(target, path string) error{
		"symbolic link": os.Symlink,
		"hard link":     os.Link,
		"directory":     func(_, path string) error { return os.Mkdir(path, 0o700) },
		"socket": func(_, path string) error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Bind(fd, &unix.SockaddrUnix{Name: path})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "hz-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			target, path := filepath.Join(dir, "target"), filepath.Join(dir, "access.log")
			if err := errors.Join(os.WriteFile(target, []byte("precious\n"), 0o600), link(target, path)); err != nil {
				t.Fatal(err)
			}
			f, said := newTestFile(t, path)
			if errs := f.lines(0, 5); len(errs) != 5 || f.dropped != 5 {
				t.Errorf("%v, %d dropped", errs, f.dropped)
			}
			if text, err := os.ReadFile(target); string(text) != "precious\n" {
				t.Errorf("%q, %v", text, err)
			}
			if Check(path) == nil || strings.Count(said.String(), "cannot write the access log") != 1 {
				t.Errorf("%v\n%s", Check(path), said)
			}
		})
	}
}

// A file that cannot be opened after a rotation leaves the old one in use.
func TestUnusableNewFileKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.log")
	f, said := newTestFile(t, path)
	errs := f.lines(0, 5)
	if err := errors.Join(os.Rename(path, path+".1"), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	errs = append(errs, f.lines(5, 10)...)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f.reopen.Store(true)
	errs = append(errs, f.lines(10, 12)...)
	wantLines(t, 0, 10, path+".1")
	wantLines(t, 10, 12, path)
	if len(errs) > 0 || strings.Count(said.String(), "writing to the rotated one") != 1 {
		t.Errorf("%v\n%s", errs, said)
	}
}

// A FIFO without a reader drops lines at once, one whose reader hangs after a second, and
// a reader that comes back gets whole lines.
func TestFIFO(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(path); err != nil {
		t.Error(err)
	}
	f, said := newTestFile(t, path)
	began := time.Now()
	if errs := f.lines(0, 1000); len(errs) != 1000 || time.Since(began) > writeWithin {
		t.Errorf("%d lines were dropped within %v", len(errs), time.Since(began))
	}
	if !strings.Contains(said.String(), "nobody reads this FIFO") {
		t.Error(said)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	f.retryAt = time.Time{}
	written := 0
	for len(f.lines(written, written+1)) == 0 { // until it is full
		written++
	}
	if written < 100 || f.dropped != 1 || !strings.Contains(said.String(), "dropped=1000") {
		t.Errorf("%d lines were written, then %d dropped\n%s", written, f.dropped, said)
	}
	got := make([]byte, 1<<20)
	n, err := reader.Read(got)
	if err != nil {
		t.Fatal(err)
	}
	f.retryAt = time.Time{}
	if errs := f.lines(7_000_000, 7_000_001); errs != nil {
		t.Error(errs)
	}
	m, err := reader.Read(got[n:])
	text := string(got[:n+m])
	if err != nil || !strings.HasSuffix(text, "\nline 7000000\n") {
		t.Errorf("%q, %v", text[max(0, len(text)-50):], err)
	}
	if !strings.Contains(said.String(), "access log is written again") || f.failing.Failing() {
		t.Error(said)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := Check(filepath.Join(dir, "access.log")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "access.log")); err == nil {
		t.Error("it created the file")
	}
	if err := Check(filepath.Join(dir, "missing", "access.log")); err == nil {
		t.Error("a missing directory will do")
	}
}

package accesslog

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestDestinations(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.log")
	line := Line{Proxy: "web", Date: "Nov 23 10:00:00", Process: "haproxy[12]", Text: "10.0.0.1:33 GET /\x1b"}
	const written = "Nov 23 10:00:00 web haproxy[12]: 10.0.0.1:33 GET /\\u001b\n"
	for _, test := range []struct{ where, stdout, file, log string }{
		{"", "", "", `msg=access proxy=web line="10.0.0.1:33 GET /`},
		{Off, "", "", ""},
		{Stdout, written, "", ""},
		{path, "", written, ""},
	} {
		var stdout, log bytes.Buffer
		l := New(Options{Where: test.where, Stdout: &stdout, Lines: slog.New(slog.NewTextHandler(&log, nil)), Logger: quiet()})
		l.Add(line)
		l.Reopen()
		l.Drain()
		text, _ := os.ReadFile(path)
		if stdout.String() != test.stdout || string(text) != test.file || !strings.Contains(log.String(), test.log) || test.log == "" && log.Len() > 0 {
			t.Errorf("%q: stdout %q, file %q, log %q", test.where, stdout.String(), text, log.String())
		}
		_ = os.Remove(path)
	}
}

func TestLineWithoutHeaderGetsOne(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	l := New(Options{Where: Stdout, Stdout: &stdout, Lines: quiet(), Logger: quiet()})
	l.Add(Line{Text: "raw"})
	l.Drain()
	if want := regexp.MustCompile(`^[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} - haproxy: raw\n$`); !want.MatchString(stdout.String()) {
		t.Errorf("%q", stdout.String())
	}
}

func counted(t *testing.T, l *Log) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(l.Counter())
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families[0].GetMetric()[0].GetCounter().GetValue()
}

// A reader that hangs delays nobody, and what it misses is counted.
func TestHungFIFOBlocksNobodyAndIsCounted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	l := New(Options{Where: path, Stdout: io.Discard, Lines: quiet(), Logger: quiet()})
	text := strings.Repeat("x", 1000)
	began := time.Now()
	for range 20_000 {
		l.Add(Line{Proxy: "web", Text: text})
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("20,000 lines took %v", took)
	}
	l.Drain()
	if lost := counted(t, l); lost < 5000 {
		t.Errorf("%v lines are counted as lost", lost)
	}
	reader.Close() // ends the write that waits
}

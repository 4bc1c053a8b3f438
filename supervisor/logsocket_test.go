package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lines is a handler that sends the attribute `line` and blocks until it is received.
type lines chan string

func (l lines) Enabled(context.Context, slog.Level) bool { return true }

func (l lines) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "line" {
			l <- a.Value.String()
		}
		return true
	})
	return nil
}

func (l lines) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l lines) WithGroup(string) slog.Handler      { return l }

// running runs a log socket; the returned function stops it and returns Run's error.
func running(t *testing.T, l *LogSocket) func() error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// failOnForeign fails the test if a line is dropped.
func failOnForeign(t *testing.T) func() {
	return func() { t.Error("a line was dropped as another user's") }
}

func next(t *testing.T, got lines) string {
	t.Helper()
	select {
	case line := <-got:
		return line
	case <-time.After(10 * time.Second):
		t.Fatal("no line within 10 s")
		return ""
	}
}

func TestLogSocketsLogLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.sock")
	if err := os.WriteFile(path, []byte("left by an earlier process"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, listen := range map[string]func(lines) (*LogSocket, error){
		"unix": func(to lines) (*LogSocket, error) {
			return ListenLog(path, 0, failOnForeign(t), slog.New(to))
		},
		"udp": func(to lines) (*LogSocket, error) {
			return ListenLogUDP("127.0.0.1:0", slog.New(to))
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(lines)
			l, err := listen(got)
			if err != nil {
				t.Fatal(err)
			}
			end := running(t, l)
			conn, err := net.Dial(map[string]string{"unix": "unixgram", "udp": "udp"}[name], l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for sent, want := range map[string]string{
				"<134>Nov 23 10:00:00 haproxy[12]: 10.0.0.1:1 [x] \"GET / HTTP/1.1\"\n":   "10.0.0.1:1 [x] \"GET / HTTP/1.1\"",
				"<134>Nov  3 10:00:00 lb-1 haproxy[12]: 10.0.0.1:1 {x[1]: y}\n":           "10.0.0.1:1 {x[1]: y}",
				"<134>1 2026-11-03T10:00:00+00:00 lb-1 haproxy 12 - - {x[1]: 10.9.9.9:1}": "<134>1 2026-11-03T10:00:00+00:00 lb-1 haproxy 12 - - {x[1]: 10.9.9.9:1}",
				"<134>Nov 23 10:00:00 haproxy: 10.0.0.1:1 [x] {x[1]: 10.9.9.9:1}":         "<134>Nov 23 10:00:00 haproxy: 10.0.0.1:1 [x] {x[1]: 10.9.9.9:1}",
				"no header":        "no header",
				"two\nlines\x00\n": "two\nlines",
			} {
				if _, err := conn.Write([]byte(sent)); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, next(t, got)); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
			}
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket still exists: %v", err)
	}
}

func TestLogLinesKeepTheirSeverity(t *testing.T) {
	for line, want := range map[string]slog.Level{
		"<128>Nov 23 10:00:00 haproxy[12]: backend web has no server available!":                    slog.LevelError, // emergency
		"<129>Nov 23 10:00:00 haproxy[12]: Server web/web1 is DOWN":                                 slog.LevelError, // alert
		"<129>Nov 23 10:00:00 haproxy[12]: Server web/web1 is going DOWN for maintenance. 4 active": slog.LevelInfo,  // by a command
		"<129>Nov 23 10:00:00 haproxy[12]: Server web/web1 is DOWN, changed from CLI. 3 active":     slog.LevelInfo,
		"<131>Nov 23 10:00:00 haproxy[12]: x":                                                       slog.LevelError,
		"<132>Nov 23 10:00:00 haproxy[12]: x":                                                       slog.LevelWarn,
		"<133>Nov 23 10:00:00 haproxy[12]: Server web/web1 is UP":                                   slog.LevelInfo, // notice
		"<134>Nov 23 10:00:00 haproxy[12]: GET / HTTP/1.1":                                          slog.LevelInfo,
		"<135>Nov 23 10:00:00 haproxy[12]: x":                                                       slog.LevelDebug,
		"<128>1 2026-11-03T10:00:00+00:00 lb-1 haproxy 12 - - no server available":                  slog.LevelError,
		"<3>short":            slog.LevelError,
		"<7>":                 slog.LevelDebug,
		"<192>no PRI":         slog.LevelInfo,
		"<>no PRI":            slog.LevelInfo,
		"raw <128>no PRI":     slog.LevelInfo,
		"<1280>Nov 23 no PRI": slog.LevelInfo,
		"":                    slog.LevelInfo,
	} {
		if got := level(line, severity(line)); got != want {
			t.Errorf("%q is %v, not %v", line, got, want)
		}
	}
}

// Take gets each line, parsed, before it is logged, and may keep it from the log.
func TestLogSocketPassesLinesOn(t *testing.T) {
	got := make(lines)
	l, err := ListenLog(filepath.Join(t.TempDir(), "log.sock"), 0, failOnForeign(t), slog.New(got))
	if err != nil {
		t.Fatal(err)
	}
	var passed []string
	l.Take = func(line LogLine) bool {
		passed = append(passed, fmt.Sprintf("%d %s %s %s", line.Severity, line.Date, line.Process, line.Text))
		return line.Severity == 6
	}
	end := running(t, l)
	conn, err := net.Dial("unixgram", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, line := range []string{"<134>Nov 23 10:00:00 haproxy[12]: a request\n", "<129>Nov 23 10:00:00 web.example haproxy[12]: an alert", "raw"} {
		if _, err := conn.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	next(t, got)
	next(t, got)
	if err := end(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"6 Nov 23 10:00:00 haproxy[12] a request", "1 Nov 23 10:00:00 haproxy[12] an alert", "-1   raw"}, passed); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Lines of other users are dropped and counted, even if the file's mode lets them write.
func TestLogLinesOfOtherUsersAreDropped(t *testing.T) {
	for _, test := range []struct {
		name      string
		workerUID int
		open      bool // the file lets everybody write
		sender    int
		taken     bool
		refused   bool // by the file
	}{
		{"this user", 0, false, os.Geteuid(), true, false},
		{"another user", 0, false, nobody, false, true},
		{"another user whom the file lets", 0, true, nobody, false, false},
		{"the user of the workers", nobody, false, nobody, true, false},
		{"another user beside that of the workers", nobody - 1, false, nobody, false, true},
		{"another user beside that of the workers, whom the file lets", nobody - 1, true, nobody, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "hz-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "log.sock")
			got := make(lines, 2)
			foreign := make(chan struct{}, 1)
			l, err := ListenLog(path, test.workerUID, func() { foreign <- struct{}{} }, slog.New(got))
			if err != nil {
				t.Fatal(err)
			}
			if test.open {
				if err := os.Chmod(path, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			end := running(t, l)
			text := asUser(t, test.sender, "send", path)
			switch {
			case test.refused:
				if !strings.Contains(text, "permission denied") {
					t.Errorf("sending says %q", text)
				}
			case text != "":
				t.Errorf("sending says %q", text)
			case test.taken:
				if line := next(t, got); line != "GET /forged HTTP/1.1" {
					t.Errorf("the line is %q", line)
				}
			default:
				waitFor(t, "the line is counted", foreign)
			}
			if err := end(); err != nil {
				t.Error(err)
			}
			if len(got) > 0 {
				t.Errorf("the line came out: %q", <-got)
			}
		})
	}
}

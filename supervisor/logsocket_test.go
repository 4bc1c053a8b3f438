package supervisor

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lines is a handler that hands on the attribute `line`, and waits until it is taken.
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

// running runs a log socket; the returned function ends it and returns Run's error.
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

func TestLogSocketsPrintLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.sock")
	if err := os.WriteFile(path, []byte("left by an earlier process"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, listen := range map[string]func(lines) (*LogSocket, error){
		"unix": func(to lines) (*LogSocket, error) {
			return ListenLog(path, slog.New(to))
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
		t.Errorf("the socket is left behind: %v", err)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

// rejection is the daemon's reason why it keeps the configuration before.
type rejection struct {
	text  string
	wrong bool
}

func (r rejection) Error() string { return r.text }

func (r rejection) Is(target error) bool { return r.wrong && target == control.ErrInvalid }

func TestReloadExitCodes(t *testing.T) {
	for _, test := range []struct {
		name  string
		reply error
		code  int
		says  string
	}{
		{"accepted", nil, 0, "the configuration is in effect; changed: web\n"},
		{"rejected", rejection{"/etc/t:5: no such keyword\na.exec: missing", true}, exitcode.Usage, "\n/etc/t:5: no such keyword\na.exec: missing"},
		{"a reason that may pass", rejection{text: "/etc/t:5: could not resolve"}, exitcode.Failed, "/etc/t:5: could not resolve"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "hz-") // a unix socket's path is short
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			s := settings{config.Process{RunDir: dir}}
			l, err := control.Listen(control.Path(s.RunDir))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() {
				served <- control.New(control.Options{
					Reload: func(context.Context) (string, error) { return "changed: web", test.reply },
					Level:  new(slog.LevelVar), Logger: slog.New(slog.DiscardHandler),
				}).Serve(ctx, l)
			}()
			defer func() {
				cancel()
				if err := <-served; err != nil {
					t.Error(err)
				}
			}()
			var out strings.Builder
			cmd := newReload(&s)
			cmd.SetArgs(nil)
			cmd.SetOut(&out)
			cmd.SetErr(io.Discard)
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			err = cmd.ExecuteContext(t.Context())
			if err != nil {
				fmt.Fprint(&out, err)
			}
			if code := exitcode.Of(err); code != test.code || !strings.Contains(out.String(), test.says) {
				t.Errorf("exit code %d, want %d and %q: %s", code, test.code, test.says, out.String())
			}
		})
	}
}

func TestReloadOfNothing(t *testing.T) {
	cmd := newReload(&settings{config.Process{RunDir: t.TempDir()}})
	cmd.SetArgs(nil)
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	if err := cmd.ExecuteContext(t.Context()); !errors.Is(err, control.ErrNotRunning) || exitcode.Of(err) != exitcode.Failed {
		t.Errorf("%d, %v", exitcode.Of(err), err)
	}
}

package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

// newHost returns a host in its own directory. Its haproxy-zk is this test binary,
// which behaves as given by acts.
func newHost(t *testing.T, acts string) *Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "hz-") // the path of a unix socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Options{
		RunDir: dir, HTTPAddr: addr,
		LogFile:    filepath.Join(dir, "log", "haproxy-zk.log"),
		Patience:   20 * time.Second,
		Executable: filepath.Join(dir, "haproxy-zk"),
		Configuration: func() (*config.Config, []config.Problem, error) {
			return nil, nil, exitcode.NewUsageError(errors.New("nothing is configured"))
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\necho \"arguments: $*\"\nACT=%s HTTP=%s DIR=%s ARGUMENTS=\"$*\" exec %s -test.run='^TestActAsDaemon$'\n", acts, addr, dir, self)
	if err := os.WriteFile(h.opts.Executable, []byte(script), 0o700); err != nil { //nolint:gosec // it is executed
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if running, err := h.find(context.Background()); err == nil && running.pid > 0 && running.pid != os.Getpid() {
			_ = running.signal(syscall.SIGKILL)
			_ = running.ended(context.Background())
		}
	})
	return h
}

// TestActAsDaemon is not a test but the process that the tests of this file start.
func TestActAsDaemon(*testing.T) {
	act := os.Getenv("ACT")
	pidFile := TakePIDFile()
	if strings.HasPrefix(os.Getenv("ARGUMENTS"), "rehearse ") {
		if _, err := os.Stat(filepath.Join(os.Getenv("DIR"), "wrong")); err == nil {
			fmt.Fprintln(os.Stderr, "haproxy-zk: ngboss.template: no such file")
			os.Exit(exitcode.Usage)
		}
		os.Exit(0)
	}
	switch {
	case pidFile == "" || os.Getenv("DIR") == "":
		return // an ordinary test run
	case act == "refuse":
		fmt.Fprintln(os.Stderr, "ngboss.template: no such file")
		os.Exit(exitcode.Usage)
	case act == "leave":
		os.Exit(0)
	}
	if err := actAsDaemon(act, pidFile, Options{RunDir: os.Getenv("DIR"), HTTPAddr: os.Getenv("HTTP")}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitcode.Failed)
	}
	os.Exit(0)
}

// actAsDaemon does what the host commands observe of run, in the same order.
func actAsDaemon(act, pidFile string, o Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, end := context.WithTimeout(ctx, time.Minute) // in case the test is killed
	defer end()
	l, err := net.Listen("tcp", o.HTTPAddr)
	if err != nil {
		return err
	}
	defer l.Close()
	sock, err := control.Listen(control.Path(o.RunDir))
	if err != nil {
		return err
	}
	remove, err := WritePIDFile(pidFile)
	if err != nil {
		return err
	}
	defer remove()
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if act != "ready" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, "{%q:%t}\n", "ready", act == "ready")
	})
	go http.Serve(l, mux) //nolint:errcheck,gosec // it ends with the process
	if act == "stay" {
		signal.Ignore(syscall.SIGTERM)
		end = func() {}
	}
	c := control.New(control.Options{
		Detach: func() error {
			if act == "tied" {
				return errors.New("it is PID 1")
			}
			end()
			return nil
		},
		Level: new(slog.LevelVar), Logger: slog.New(slog.DiscardHandler),
	})
	return c.Serve(ctx, sock)
}

package main

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
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/control"
)

// newHost returns a host in a folder of its own, whose haproxy-zk is this test
// binary, which acts as told by acts.
func newHost(t *testing.T, acts string) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "hz-") // a unix socket's path is short
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
	h := &host{
		settings:   &settings{RunDir: dir, HTTPAddr: addr},
		pidFile:    filepath.Join(dir, "haproxy-zk.pid"),
		logFile:    filepath.Join(dir, "log", "haproxy-zk.log"),
		patience:   20 * time.Second,
		executable: filepath.Join(dir, "haproxy-zk"),
	}
	script := fmt.Sprintf("#!/bin/sh\necho \"arguments: $*\"\nACT=%s HTTP=%s DIR=%s exec %s -test.run='^TestActAsDaemon$'\n", acts, addr, dir, self)
	if err := os.WriteFile(h.executable, []byte(script), 0o700); err != nil { //nolint:gosec // it is executed
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

// TestActAsDaemon is no test but the process that the tests of this file start.
func TestActAsDaemon(*testing.T) {
	act := os.Getenv("ACT")
	pidFile := daemonPIDFile()
	switch {
	case pidFile == "" || os.Getenv("DIR") == "":
		return // an ordinary run of the tests
	case act == "refuse":
		fmt.Fprintln(os.Stderr, "ngboss.template: no such file")
		os.Exit(exitUsage)
	case act == "leave":
		os.Exit(0)
	}
	if err := actAsDaemon(act, pidFile, settings{RunDir: os.Getenv("DIR"), HTTPAddr: os.Getenv("HTTP")}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
	os.Exit(0)
}

// actAsDaemon does in the order of run what the commands see of it.
func actAsDaemon(act, pidFile string, s settings) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, end := context.WithTimeout(ctx, time.Minute) // whatever becomes of the test
	defer end()
	l, err := net.Listen("tcp", s.HTTPAddr)
	if err != nil {
		return err
	}
	defer l.Close()
	sock, err := control.Listen(controlSocket(s))
	if err != nil {
		return err
	}
	remove, err := writePIDFile(pidFile)
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

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// says runs a deed and returns what it printed.
func says(t *testing.T, deed func(io.Writer) error) string {
	t.Helper()
	var out bytes.Buffer
	if err := deed(&out); err != nil {
		t.Fatalf("%v; printed %q", err, out.String())
	}
	return strings.TrimSpace(out.String())
}

func (h *host) starts(t *testing.T) string {
	t.Helper()
	return says(t, func(w io.Writer) error { return h.start(t.Context(), w, []string{"run", "--x=y"}) })
}

func (h *host) stops(t *testing.T, haproxy bool) string {
	t.Helper()
	return says(t, func(w io.Writer) error { return h.stop(t.Context(), w, haproxy) })
}

func wantStopped(t *testing.T, h *host, want string) {
	t.Helper()
	var out bytes.Buffer
	err := h.status(t.Context(), &out)
	if exit, own := errors.AsType[exitError](err); !own || exit.code != exitStopped || exit.text != "" {
		t.Errorf("status: %v", err)
	}
	if out.String() != want+"\n" {
		t.Errorf("status %q, want %q", out.String(), want)
	}
}

func TestLifeOnAHost(t *testing.T) {
	h := newHost(t, "ready")
	wantStopped(t, h, "stopped")
	if got := h.stops(t, false); got != "haproxy-zk is not running" {
		t.Error(got)
	}

	first := h.starts(t)
	named, err := readPIDFile(h.pidFile)
	if err != nil || !named.alive() || first != fmt.Sprintf("process [%d] is running", named.pid) {
		t.Fatalf("%q, %+v, %v", first, named, err)
	}
	if info, err := os.Stat(h.pidFile); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("pid file: %v %v", info.Mode(), err)
	}
	if log, err := os.ReadFile(h.logFile); err != nil || !strings.Contains(string(log), "arguments: run --x=y") {
		t.Errorf("log %q, %v", log, err)
	}
	if session, err := syscall.Getpgid(named.pid); err != nil || session != named.pid {
		t.Errorf("process group %d, %v", session, err)
	}
	if got, want := h.starts(t), first+" already"; got != want {
		t.Errorf("started twice: %q", got)
	}
	if got, want := says(t, func(w io.Writer) error { return h.status(t.Context(), w) }), first+"\n{\"ready\":true}"; got != want {
		t.Errorf("status %q, want %q", got, want)
	}

	if got, want := h.stops(t, false), fmt.Sprintf("process [%d] has ended, HAProxy goes on serving", named.pid); got != want {
		t.Errorf("stop: %q", got)
	}
	if named.alive() {
		t.Error("it still runs")
	}
	if _, err := os.Stat(h.pidFile); !os.IsNotExist(err) {
		t.Errorf("the pid file is left: %v", err)
	}

	if got := h.starts(t); got == first {
		t.Errorf("the next one: %q", got)
	}
	if got := h.stops(t, true); !strings.Contains(got, "has ended, and HAProxy with it") {
		t.Errorf("stop --haproxy: %q", got)
	}
	wantStopped(t, h, "stopped")
}

func TestStartWhileZooKeeperIsAway(t *testing.T) {
	h := newHost(t, "wait")
	h.settings.StartWait = 100*time.Millisecond - startMargin
	if got := h.starts(t); !strings.Contains(got, "is running, but not ready yet") || !strings.Contains(got, `{"ready":false}`) {
		t.Error(got)
	}
}

func TestFailedStartTellsTheReason(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, test := range []struct {
		act   string
		addr  string
		code  int
		words []string
	}{
		{"refuse", "", exitUsage, []string{"exit status 2", "ngboss.template: no such file"}},
		{"leave", "", exitFailed, []string{"it ended by itself"}},
		{"ready", other.Addr().String(), exitFailed, []string{"exit status 1", "address already in use"}},
	} {
		t.Run(test.act, func(t *testing.T) {
			h := newHost(t, test.act)
			if test.addr != "" {
				replaceInFile(t, h.executable, h.settings.HTTPAddr, test.addr)
			}
			if err := os.MkdirAll(filepath.Dir(h.logFile), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(h.logFile, []byte("of an earlier start\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			err := h.start(t.Context(), io.Discard, []string{"run"})
			exit, own := errors.AsType[exitError](err)
			if !own || exit.code != test.code {
				t.Fatalf("%v", err)
			}
			for _, words := range test.words {
				if !strings.Contains(exit.text, words) {
					t.Errorf("it does not say %q: %s", words, exit.text)
				}
			}
			if strings.Contains(exit.text, "earlier") {
				t.Errorf("it tells of another start: %s", exit.text)
			}
		})
	}
}

func replaceInFile(t *testing.T, path, old, with string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, bytes.ReplaceAll(text, []byte(old), []byte(with)), 0o700) //nolint:gosec // it is executed
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestStopThatDoesNotCome(t *testing.T) {
	h := newHost(t, "stay")
	h.settings.StartWait = -startMargin
	h.starts(t)
	h.patience = 50 * time.Millisecond
	for _, haproxy := range []bool{false, true} {
		if err := h.stop(t.Context(), io.Discard, haproxy); err == nil || !strings.Contains(err.Error(), "has not within 50ms") {
			t.Errorf("%v", err)
		}
	}
}

func TestStopThatIsRefused(t *testing.T) {
	h := newHost(t, "tied")
	h.settings.StartWait = -startMargin
	h.starts(t)
	if err := h.stop(t.Context(), io.Discard, false); err == nil || !strings.Contains(err.Error(), "it is PID 1") {
		t.Errorf("%v", err)
	}
}

// A run that makes no pid file is found by its control socket, and one whose
// run folder is another one's is not ended in its place.
func TestPIDFileAndControlSocketBelongTogether(t *testing.T) {
	a, b := newHost(t, "ready"), newHost(t, "ready")
	a.starts(t)
	b.starts(t)
	mixed := *a
	mixed.pidFile = b.pidFile
	if err := mixed.stop(t.Context(), io.Discard, false); err == nil || !strings.Contains(err.Error(), "belong together") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(a.pidFile); err != nil {
		t.Fatal(err)
	}
	if got := a.stops(t, false); !strings.Contains(got, "has ended") {
		t.Errorf("without a pid file: %q", got)
	}
	if got := b.stops(t, false); !strings.Contains(got, "has ended") {
		t.Errorf("the other one: %q", got)
	}
}

func TestStalePIDFile(t *testing.T) {
	h := newHost(t, "ready")
	self, _ := inspect(os.Getpid())
	for name, text := range map[string]string{
		"nobody has the pid":    "4194999\nstart=1\n",
		"another one has it":    fmt.Sprintf("%d\nstart=%s0\n", self.pid, self.started),
		"another program's pid": "1\nstart=1\n",
	} {
		if err := os.WriteFile(h.pidFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { wantStopped(t, h, "stopped ("+h.pidFile+" is stale)") })
	}
	if got := h.starts(t); !strings.Contains(got, "is running") || strings.Contains(got, "already") {
		t.Errorf("start: %q", got)
	}
	if got := h.stops(t, false); !strings.Contains(got, "has ended") {
		t.Errorf("stop: %q", got)
	}
}

func TestRunArguments(t *testing.T) {
	var got []string
	root := newRoot(io.Discard, io.Discard)
	root.AddCommand(&cobra.Command{Use: "probe", RunE: func(cmd *cobra.Command, _ []string) error {
		got = runArgs(cmd)
		return nil
	}})
	root.SetArgs([]string{"probe", "--config", "a b.json", "--start-wait=2s"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got[1:])
	if diff := cmp.Diff([]string{"run", "--config=a b.json", "--start-wait=2s"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHostCommands(t *testing.T) {
	s := &settings{RunDir: "/run/x"}
	for _, cmd := range []*cobra.Command{newStart(s), newStop(s), newRestart(s), newStatus(s), newHealthcheck(s), newGet(s)} {
		if cmd.Short == "" || cmd.Long == "" || cmd.RunE == nil {
			t.Errorf("%s is not complete", cmd.Name())
		}
		if err := cmd.Args(cmd, []string{"a", "b"}); !errors.As(err, new(usageError)) {
			t.Errorf("%s: %v", cmd.Name(), err)
		}
	}
	h := &host{settings: s, pidFile: "web.pid"}
	if err := h.places(); err != nil || !filepath.IsAbs(h.pidFile) || h.logFile != "/run/x/haproxy-zk.log" {
		t.Errorf("%+v, %v", h, err)
	}
}

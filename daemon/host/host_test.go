package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

// says runs a command and returns its output.
func says(t *testing.T, deed func(io.Writer) error) string {
	t.Helper()
	var out bytes.Buffer
	if err := deed(&out); err != nil {
		t.Fatalf("%v; printed %q", err, out.String())
	}
	return strings.TrimSpace(out.String())
}

func (h *Host) starts(t *testing.T) string {
	t.Helper()
	return says(t, func(w io.Writer) error { return h.Start(t.Context(), w, []string{"run", "--x=y"}) })
}

func (h *Host) stops(t *testing.T, haproxy bool) string {
	t.Helper()
	return says(t, func(w io.Writer) error { return h.Stop(t.Context(), w, haproxy) })
}

func wantStopped(t *testing.T, h *Host, want string) {
	t.Helper()
	var out bytes.Buffer
	err := h.Status(t.Context(), &out, ShowText)
	if exit, own := errors.AsType[exitcode.Error](err); !own || exit.Code != exitStopped || exit.Text != "" {
		t.Errorf("status: %v", err)
	}
	if out.String() != want+"\n" {
		t.Errorf("status %q, want %q", out.String(), want)
	}
}

func TestStartStatusRestartStop(t *testing.T) {
	h := newHost(t, "ready")
	wantStopped(t, h, "stopped")
	if got := h.stops(t, false); got != "haproxy-zk is not running" {
		t.Error(got)
	}

	first := h.starts(t)
	named, err := readPIDFile(h.opts.PIDFile)
	if err != nil || !named.alive() || first != fmt.Sprintf("process [%d] is running", named.pid) {
		t.Fatalf("%q, %+v, %v", first, named, err)
	}
	if info, err := os.Stat(h.opts.PIDFile); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("pid file: %v %v", info.Mode(), err)
	}
	if log, err := os.ReadFile(h.opts.LogFile); err != nil || !strings.Contains(string(log), "arguments: run --x=y") {
		t.Errorf("log %q, %v", log, err)
	}
	if session, err := syscall.Getpgid(named.pid); err != nil || session != named.pid {
		t.Errorf("process group %d, %v", session, err)
	}
	if got, want := h.starts(t), first+" already"; got != want {
		t.Errorf("started twice: %q", got)
	}
	if got, want := says(t, func(w io.Writer) error { return h.Status(t.Context(), w, ShowText) }), first+"\n{\"ready\":true}"; got != want {
		t.Errorf("status %q, want %q", got, want)
	}

	if got, want := h.stops(t, false), fmt.Sprintf("process [%d] has ended, HAProxy keeps serving", named.pid); got != want {
		t.Errorf("stop: %q", got)
	}
	if named.alive() {
		t.Error("it still runs")
	}
	if _, err := os.Stat(h.opts.PIDFile); !os.IsNotExist(err) {
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

func TestStartWithoutZooKeeper(t *testing.T) {
	h := newHost(t, "wait")
	h.opts.StartWait = 100*time.Millisecond - startMargin
	if got := h.starts(t); !strings.Contains(got, "is running but not ready yet") || !strings.Contains(got, `{"ready":false}`) {
		t.Error(got)
	}
}

func TestFailedStartReportsTheReason(t *testing.T) {
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
		{"refuse", "", exitcode.Usage, []string{"exit status 2", "ngboss.template: no such file"}},
		{"leave", "", exitcode.Failed, []string{"it exited early"}},
		{"ready", other.Addr().String(), exitcode.Failed, []string{"exit status 1", "address already in use"}},
	} {
		t.Run(test.act, func(t *testing.T) {
			h := newHost(t, test.act)
			if test.addr != "" {
				replaceInFile(t, h.opts.Executable, h.opts.HTTPAddr, test.addr)
			}
			if err := os.MkdirAll(filepath.Dir(h.opts.LogFile), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(h.opts.LogFile, []byte("of an earlier start\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			err := h.Start(t.Context(), io.Discard, []string{"run"})
			exit, own := errors.AsType[exitcode.Error](err)
			if !own || exit.Code != test.code {
				t.Fatalf("%v", err)
			}
			for _, words := range test.words {
				if !strings.Contains(exit.Text, words) {
					t.Errorf("it does not say %q: %s", words, exit.Text)
				}
			}
			if strings.Contains(exit.Text, "earlier") {
				t.Errorf("it shows the log of another start: %s", exit.Text)
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

func TestStopTimesOut(t *testing.T) {
	h := newHost(t, "stay")
	h.opts.StartWait = -startMargin
	h.starts(t)
	h.opts.Patience = 50 * time.Millisecond
	for _, haproxy := range []bool{false, true} {
		if err := h.Stop(t.Context(), io.Discard, haproxy); err == nil || !strings.Contains(err.Error(), "did not stop within 50ms") {
			t.Errorf("%v", err)
		}
	}
}

func TestRefusedStopIsReported(t *testing.T) {
	h := newHost(t, "tied")
	h.opts.StartWait = -startMargin
	h.starts(t)
	if err := h.Stop(t.Context(), io.Discard, false); err == nil || !strings.Contains(err.Error(), "it is PID 1") {
		t.Errorf("%v", err)
	}
}

// A daemon without a pid file is found by its control socket, and one in another run
// directory is not stopped instead.
func TestPIDFileAndControlSocketBelongTogether(t *testing.T) {
	a, b := newHost(t, "ready"), newHost(t, "ready")
	a.starts(t)
	b.starts(t)
	mixed := *a
	mixed.opts.PIDFile = b.opts.PIDFile
	if err := mixed.Stop(t.Context(), io.Discard, false); err == nil || !strings.Contains(err.Error(), "belong together") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(a.opts.PIDFile); err != nil {
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
		"no process has the pid": "4194999\nstart=1\n",
		"another one has it":     fmt.Sprintf("%d\nstart=%s0\n", self.pid, self.started),
		"another program's pid":  "1\nstart=1\n",
	} {
		if err := os.WriteFile(h.opts.PIDFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { wantStopped(t, h, "stopped ("+h.opts.PIDFile+" is stale)") })
	}
	if got := h.starts(t); !strings.Contains(got, "is running") || strings.Contains(got, "already") {
		t.Errorf("start: %q", got)
	}
	if got := h.stops(t, false); !strings.Contains(got, "has ended") {
		t.Errorf("stop: %q", got)
	}
}

// Problems that would keep the successor from starting leave the running daemon alone.
func TestRestartRehearsesTheSuccessorFirst(t *testing.T) {
	h := newHost(t, "ready")
	h.starts(t)
	before, err := readPIDFile(h.opts.PIDFile)
	if err != nil {
		t.Fatal(err)
	}
	restart := func(w io.Writer) error { return h.Restart(t.Context(), w, []string{"run", "--x=y"}) }
	wrong := filepath.Join(h.opts.RunDir, "wrong")
	if err := os.WriteFile(wrong, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err = restart(io.Discard)
	exit, own := errors.AsType[exitcode.Error](err)
	if !own || exit.Code != exitcode.Usage || !strings.Contains(exit.Text, "no such file") || !strings.Contains(exit.Text, "still running as before") {
		t.Errorf("%v", err)
	}
	if now, err := readPIDFile(h.opts.PIDFile); err != nil || now != before || !now.alive() {
		t.Errorf("%+v, %v, before %+v", now, err, before)
	}
	if err := os.Remove(wrong); err != nil {
		t.Fatal(err)
	}
	if got := says(t, restart); !strings.Contains(got, "has ended") || !strings.HasSuffix(got, "is running") {
		t.Error(got)
	}
	if before.alive() {
		t.Error("the old process is still running")
	}
}

// The rehearsal cannot find every problem.
func TestFailedRestartReportsWhatIsRunning(t *testing.T) {
	h := newHost(t, "ready")
	h.starts(t)
	replaceInFile(t, h.opts.Executable, "ACT=ready", "ACT=refuse")
	err := h.Restart(t.Context(), io.Discard, []string{"run"})
	exit, own := errors.AsType[exitcode.Error](err)
	if !own || exit.Code != exitcode.Usage || !strings.Contains(exit.Text, "has ended; cannot determine whether HAProxy still serves") {
		t.Errorf("%v", err)
	}
	if err := (Record{Proxies: []RecordedProxy{{Name: "x", ConfFile: "/x/x.cfg", PIDFile: "/x/x.pid"}}}).Write(h.opts.RunDir); err != nil {
		t.Fatal(err)
	}
	if got := h.afterFailedStart(t.Context(), 12); got != "process [12] has ended, and no HAProxy serves" {
		t.Error(got)
	}
}

func TestRecordOfAnotherUserIsNotTrusted(t *testing.T) {
	dir := t.TempDir()
	if _, found, err := ReadRecord(dir); found || err != nil {
		t.Errorf("without one: %v, %v", found, err)
	}
	r := Record{HTTPAddr: ":1", Proxies: []RecordedProxy{{"web", "/a.cfg", "/a.pid", []string{"/a.sock"}, time.Second}}}
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	got, found, err := ReadRecord(dir)
	if diff := cmp.Diff(r, got); diff != "" || !found || err != nil {
		t.Errorf("%v %v %s", found, err, diff)
	}
	path := filepath.Join(dir, recordFile)
	for name, spoil := range map[string]func() error{
		"a link":   func() error { return os.Symlink("/etc/passwd", path) },
		"a folder": func() error { return os.Mkdir(path, 0o700) },
		"no JSON":  func() error { return os.WriteFile(path, []byte("{"), 0o600) },
		"relative paths": func() error {
			return os.WriteFile(path, []byte(`{"proxies":[{"conf_file":"a","pid_file":"b"}]}`), 0o600)
		},
		"another user's record": func() error { return errors.Join(r.Write(dir), os.Chown(path, 4711, 4711)) },
	} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadRecord(dir); err == nil {
			t.Errorf("%s is trusted", name)
		}
	}
}

func TestFilesOfAHostAreAbsolute(t *testing.T) {
	h, err := New(Options{RunDir: "/run/x", PIDFile: "web.pid"})
	if err != nil || !filepath.IsAbs(h.opts.PIDFile) || h.opts.LogFile != "/run/x/haproxy-zk.log" {
		t.Errorf("%+v, %v", h, err)
	}
}

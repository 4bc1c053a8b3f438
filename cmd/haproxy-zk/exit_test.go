package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

// refusing is a shell script that passes for an HAProxy whose configuration is wrong.
func refusing(alerts ...string) string {
	script := "#!/bin/sh\nif [ \"$1\" = -v ]; then echo 'HAProxy version 2.6.12 2023/01/01'; exit 0; fi\n"
	for _, alert := range alerts {
		script += fmt.Sprintf("echo '[ALERT]    (1) : config : %s' >&2\n", alert)
	}
	return script + "exit 1\n"
}

const (
	unresolvedServer = `[/x.cfg:7] : "server b/s1" : could not resolve address "web.example".`
	unresolvedLog    = `parsing [/x.cfg:2] : log : invalid address: '\''web.example'\'' in '\''web.example'\''`
	wrongAddress     = `parsing [/x.cfg:2] : log : invalid address: '\''10.0.0.300'\'' in '\''10.0.0.300'\''`
	noServers        = "Failed to initialize server(s) addr."
	wrongWord        = `parsing [/x.cfg:9] : unknown keyword "optin" in "backend" section`
	fatalErrors      = "Fatal errors found in configuration."
)

// Exit code 2 ends all tries of systemd: it is for what a human must change. What may
// be over by itself is 1.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	occupied, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { occupied.Close() })
	for _, test := range []struct {
		name    string
		haproxy string // a script; empty is none
		env     []string
		args    []string
		config  string
		living  bool // an HAProxy that an earlier start has left
		code    int
		says    string
	}{
		{name: "version", args: []string{"version"}, code: 0, says: "haproxy-zk"},
		{name: "unknown command", args: []string{"begin"}, code: 2, says: "begin"},
		{name: "unknown flag", args: []string{"--confg=x"}, code: 2, says: "--confg"},
		{name: "a file that is missing", args: []string{"--config=/nowhere.json"}, code: 2, says: "/nowhere.json"},
		{name: "a file that is a folder", args: []string{"--config=/"}, code: 2, says: "is a directory"},
		{name: "a file that is wrong", config: "{,}", code: 2, says: "config.json:1"},
		{name: "nothing is configured", env: []string{"ZK_ADDR="}, code: 2, says: "ZK_ADDR"},
		{name: "port of HTTP_ADDR out of range", env: []string{"HTTP_ADDR=127.0.0.1:99999"}, code: 2, says: `HTTP_ADDR: "127.0.0.1:99999"`},
		{name: "HTTP_ADDR without a port", env: []string{"HTTP_ADDR=127.0.0.1"}, code: 2, says: `HTTP_ADDR: "127.0.0.1"`},
		{name: "HTTP_ADDR with a word for a port", env: []string{"HTTP_ADDR=127.0.0.1:webserver"}, code: 2, says: `HTTP_ADDR: "127.0.0.1:webserver"`},
		{name: "HTTP_ADDR in use", haproxy: refusing(wrongWord), env: []string{"HTTP_ADDR=" + occupied.Addr().String()}, code: 1, says: "listen on HTTP_ADDR: " + occupied.Addr().String()},
		{name: "HTTP_ADDR that the host does not have", haproxy: refusing(wrongWord), env: []string{"HTTP_ADDR=192.0.2.1:0"}, code: 1, says: "HTTP_ADDR"},
		{name: "one of two HTTP_ADDR out of range", env: []string{"HTTP_ADDR=127.0.0.1:0, 127.0.0.1:99999"}, code: 2, says: `HTTP_ADDR: "127.0.0.1:99999"`},
		{name: "an empty HTTP_ADDR", env: []string{"HTTP_ADDR=127.0.0.1:0,"}, code: 2, says: `HTTP_ADDR: ""`},
		{name: "HTTP_ADDR twice", env: []string{"HTTP_ADDR=127.0.0.1:1,127.0.0.1:1"}, code: 2, says: "HTTP_ADDR: 127.0.0.1:1 is given twice"},
		{name: "HTTP_DETAIL_ADDR as HTTP_ADDR", env: []string{"HTTP_ADDR=127.0.0.1:1", "HAPROXY_ZK_HTTP_DETAIL_ADDR=127.0.0.1:1"}, code: 2, says: "HAPROXY_ZK_HTTP_DETAIL_ADDR: 127.0.0.1:1 is given twice"},
		{name: "HTTP_DETAIL_ADDR in use", haproxy: refusing(wrongWord), env: []string{"HTTP_DETAIL_ADDR=" + occupied.Addr().String()}, code: 1, says: "listen on HTTP_DETAIL_ADDR: " + occupied.Addr().String()},
		{name: "a NODE_NAME with a space", env: []string{"NODE_NAME=a b"}, code: 2, says: `NODE_NAME: "a b" is not a name`},
		{name: "a relative HTTP_TOKEN_FILE", env: []string{"HTTP_TOKEN_FILE=token"}, code: 2, says: `HTTP_TOKEN_FILE: "token" is not an absolute path`},
		{name: "an HTTP_TOKEN_FILE that is missing", haproxy: refusing(wrongWord), env: []string{"HTTP_TOKEN_FILE=/nowhere"}, code: 2, says: "HTTP_TOKEN_FILE: open /nowhere"},
		{name: "an HTTP_TOKEN_FILE without a token", haproxy: refusing(wrongWord), env: []string{"HTTP_TOKEN_FILE=/dev/null"}, code: 2, says: "HTTP_TOKEN_FILE: /dev/null holds no token"},
		{name: "HTTP_TLS_CERT alone", env: []string{"HTTP_TLS_CERT=/nowhere"}, code: 2, says: "HTTP_TLS_CERT and HTTP_TLS_KEY belong together"},
		{name: "HTTP_TLS_CERT without a certificate", haproxy: refusing(wrongWord), env: []string{"HTTP_TLS_CERT=/dev/null", "HTTP_TLS_KEY=/dev/null"}, code: 2, says: "/dev/null and /dev/null are no pair"},
		{name: "a check of a token file that is missing", haproxy: refusing(wrongWord), args: []string{"check", "--http-token-file=/nowhere"}, code: 2, says: "HTTP_TOKEN_FILE: open /nowhere"},
		{name: "port of LOG_LISTEN out of range", env: []string{"LOG_LISTEN=127.0.0.1:70000"}, code: 2, says: `LOG_LISTEN: "127.0.0.1:70000"`},
		{name: "relative RUN_DIR", env: []string{"RUN_DIR=run"}, code: 2, says: `RUN_DIR: "run"`},
		{name: "RUN_DIR below a file", haproxy: refusing(wrongWord), env: []string{"RUN_DIR=/etc/passwd/x"}, code: 2, says: "RUN_DIR"},
		{name: "relative STATE_DIR", env: []string{"STATE_DIR=state"}, code: 2, says: `STATE_DIR: "state"`},
		{name: "START_WAIT without a unit", env: []string{"START_WAIT=5"}, code: 2, says: `START_WAIT: "5" is not a duration: give one such as 5s`},
		{name: "negative START_WAIT", env: []string{"START_WAIT=-5s"}, code: 2, says: "START_WAIT"},
		{name: "unknown LOG_LEVEL", env: []string{"LOG_LEVEL=loud"}, code: 2, says: `LOG_LEVEL: "loud"`},
		{name: "unknown LOG_FORMAT", env: []string{"LOG_FORMAT=xml"}, code: 2, says: "LOG_FORMAT"},
		{name: "a setting by its long name", env: []string{"HTTP_ADDR=127.0.0.1:0", "HAPROXY_ZK_HTTP_ADDR=127.0.0.1"}, code: 2, says: `HAPROXY_ZK_HTTP_ADDR: "127.0.0.1"`},
		{name: "a duration by its long name", env: []string{"HAPROXY_ZK_START_WAIT=5"}, code: 2, says: `HAPROXY_ZK_START_WAIT: "5" is not a duration`},
		{name: "a proxy's setting by its long name", env: []string{"HAPROXY_ZK_LISTENER_PORT=70000"}, code: 2, says: "HAPROXY_ZK_LISTENER_PORT"},
		{name: "a flag before a long name", env: []string{"HAPROXY_ZK_RUN_DIR=run"}, args: []string{"--run-dir=runs"}, code: 2, says: `: RUN_DIR: "runs"`},
		{name: "everything at once", env: []string{"HTTP_ADDR=x", "RUN_DIR=run"}, code: 2, says: "RUN_DIR"},
		{name: "port of a listener out of range", env: []string{"LISTENER_PORT=70000"}, code: 2, says: "LISTENER_PORT"},
		{name: "no HAProxy", env: []string{"EXEC=/nowhere/haproxy"}, code: 2, says: "/nowhere/haproxy"},
		{name: "no HAProxy on the path", env: []string{"EXEC=haproxy-of-nobody"}, code: 2, says: "haproxy-of-nobody"},
		{name: "an executable that is none", haproxy: "\x00\x01", code: 2, says: "exec format error"},
		{name: "an HAProxy that fails", haproxy: "#!/bin/sh\necho no >&2; exit 3\n", code: 2, says: "exit code 3: no"},
		{name: "another program", haproxy: "#!/bin/sh\necho nginx 1\n", code: 2, says: "is not HAProxy"},
		{name: "an HAProxy that is killed", haproxy: "#!/bin/sh\nkill -KILL $$\n", code: 1, says: "killed by SIGKILL"},
		{name: "an HAProxy that finds no descriptor", haproxy: "#!/bin/sh\necho 'haproxy: error while loading shared libraries: libc.so.6: cannot open shared object file: Too many open files' >&2; exit 127\n", code: 1, says: "Too many open files"},
		{name: "a template that is missing", haproxy: refusing(wrongWord), env: []string{"TEMPLATE=/nowhere.cfg"}, code: 2, says: "/nowhere.cfg"},
		{name: "a configuration that HAProxy refuses", haproxy: refusing(wrongWord, fatalErrors), code: 2, says: "optin"},
		{name: "a name that does not resolve", haproxy: refusing(unresolvedServer, noServers), code: 1, says: "could not resolve address"},
		{name: "a name to bind to that does not resolve", haproxy: refusing(unresolvedLog, fatalErrors), code: 1, says: "web.example"},
		{name: "an address that is none", haproxy: refusing(wrongAddress, fatalErrors), code: 2, says: "10.0.0.300"},
		{name: "an IPv6 address that is none", haproxy: refusing(strings.ReplaceAll(wrongAddress, "10.0.0.300", "fd00::zz"), fatalErrors), code: 2, says: "fd00::zz"},
		{name: "a name that does not resolve in a wrong file", haproxy: refusing(wrongWord, unresolvedServer, fatalErrors), code: 2, says: "optin"},
		{name: "an HAProxy without memory", haproxy: refusing("parsing [/x.cfg:9] : out of memory.", fatalErrors), code: 1, says: "out of memory"},
		{name: "a wrong setting beside an HAProxy that serves", env: []string{"HTTP_ADDR=127.0.0.1:99999"}, living: true, code: 1, says: "is still running from an earlier start"},
		{name: "a wrong file beside an HAProxy that serves", config: "{,}", living: true, code: 1, says: "is still running from an earlier start"},
		{name: "a wrong word beside an HAProxy that serves", haproxy: refusing(wrongWord), living: true, code: 1, says: "is still running from an earlier start"},
		{name: "no HAProxy any more beside one that serves", env: []string{"EXEC=/nowhere/haproxy"}, living: true, code: 1, says: "is still running from an earlier start"},
		{name: "a check of a wrong file beside an HAProxy that serves", args: []string{"check"}, config: "{,}", living: true, code: 2, says: "config.json:1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			if test.haproxy != "" {
				s.env = append(s.env, "EXEC="+s.haproxy(test.haproxy))
			}
			if test.config != "" {
				s.write("config.json", test.config, 0o600)
				s.env = append(s.env, "ZK_ADDR=", "CONFIG="+filepath.Join(s.dir, "config.json"))
			}
			if test.living {
				s.leaveHAProxy()
			}
			code, said := s.run(test.args, test.env...)
			if code != test.code || !strings.Contains(said, test.says) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, test.code, test.says, said)
			}
		})
	}
}

// With LOG_FORMAT=json every line of the daemon is JSON, the error that ends it too,
// wherever it comes from; other commands answer people.
func TestFatalErrorIsOneLineOfTheLogsFormat(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		args []string
		env  []string
		says string
	}{
		{"two settings that cannot be read", nil, []string{"LOG_FORMAT=json", "START_WAIT=5", "RUN_DIR=run"}, `"5" is not a duration`},
		{"an unknown flag", []string{"run", "--log-format=json", "--confg=x"}, nil, "--confg"},
		{"the long name, and a file that is missing", []string{"--config=/nowhere.json"}, []string{"LOG_FORMAT=", "HAPROXY_ZK_LOG_FORMAT=json"}, "/nowhere.json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, said := newSandbox(t).run(test.args, test.env...)
			line, rest, _ := strings.Cut(said, "\n")
			var got struct {
				Level, Msg, Error string
				ExitCode          int `json:"exit_code"`
			}
			if err := json.Unmarshal([]byte(line), &got); err != nil || rest != "" {
				t.Fatalf("%v:\n%s", err, said)
			}
			if code != 2 || got.ExitCode != code || got.Level != "ERROR" || !strings.Contains(got.Error, test.says) {
				t.Errorf("exit code %d: %+v", code, got)
			}
		})
	}
	if _, said := newSandbox(t).run([]string{"get", "a/b/c"}, "LOG_FORMAT=json"); !strings.HasPrefix(said, "haproxy-zk: ") {
		t.Errorf("get: %s", said)
	}
}

// sandbox is where the program runs with nothing around it.
type sandbox struct {
	t   *testing.T
	dir string
	env []string
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	dir, err := os.MkdirTemp("", "hz-") // a unix socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &sandbox{t, dir, []string{
		"ZK_ADDR=127.0.0.1:1", "ZK_GROUPS=web", "START_WAIT=10ms", "HTTP_ADDR=127.0.0.1:0", "LOG_FORMAT=text",
		"RUN_DIR=" + filepath.Join(dir, "run"), "STATE_DIR=" + filepath.Join(dir, "state"),
	}}
}

func (s *sandbox) write(name, text string, mode os.FileMode) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), mode)); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *sandbox) haproxy(script string) string { return s.write("haproxy", script, 0o700) }

// leaveHAProxy has a process on record, as an earlier start leaves its HAProxy.
func (s *sandbox) leaveHAProxy() {
	s.t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s.write("run/default.workers", fmt.Sprintln(cmd.Process.Pid, fieldOfStat(s.t, cmd.Process.Pid, 22)), 0o600)
}

// start starts the program; later variables win.
func (s *sandbox) start(args []string, env ...string) (*exec.Cmd, *strings.Builder) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	s.t.Cleanup(cancel)
	said := new(strings.Builder)
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Env = append(append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "GORACE=atexit_sleep_ms=0", mainVariable + "=main"}, s.env...), env...)
	cmd.Env = append(cmd.Env, "TMPDIR="+s.dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, said, said
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return cmd, said
}

func (s *sandbox) run(args []string, env ...string) (code int, said string) {
	s.t.Helper()
	cmd, output := s.start(args, env...)
	_ = cmd.Wait() // the code says it
	return cmd.ProcessState.ExitCode(), output.String()
}

// hanging is an HAProxy that hangs when it is asked for its version, with a process of
// its own, and notes that in a file.
func (s *sandbox) hanging() (up string) {
	up = filepath.Join(s.dir, "up")
	s.env = append(s.env, "EXEC="+s.haproxy("#!/bin/sh\nsleep 1000 &\necho $! > "+up+".new; mv "+up+".new "+up+"\nwait\n"))
	return up
}

// versionWithin is how long HAProxy may take to report its version.
const versionWithin = 10 * time.Second

func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// fieldOfStat is a field of proc_pid_stat(5), counted from 1 and behind the second one,
// which may hold anything; empty when there is no such process.
func fieldOfStat(t *testing.T, pid, n int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < n-2 {
		t.Fatalf("/proc/%d/stat has %q", pid, stat)
	}
	return fields[n-3]
}

// gone waits until the process whose pid is in a file has ended.
func gone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	wait(t, "the process that HAProxy started ends with it", func() bool {
		state := fieldOfStat(t, pid, 3)
		return state == "" || state == "Z" || state == "X"
	})
}

func TestStopIsObeyedWhileHAProxyHangsAtTheStart(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			up := s.hanging()
			cmd, said := s.start(nil)
			wait(t, "HAProxy is asked for its version", func() bool { _, err := os.Stat(up); return err == nil })
			begun := time.Now()
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ends with %v:\n%s", err, said)
			}
			if took := time.Since(begun); took > versionWithin/2 {
				t.Errorf("it took %s", took)
			}
			gone(t, up)
		})
	}
}

func TestStopIsObeyedWhileTheConfigurationDoesNotCome(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	pipe := filepath.Join(s.dir, "config.json")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, said := s.start([]string{"--config=" + pipe}, "ZK_ADDR=", "ZK_GROUPS=")
	// It succeeds when somebody reads, who then waits for what never comes.
	var held *os.File
	wait(t, "the configuration is opened", func() (opened bool) {
		var err error
		held, err = os.OpenFile(pipe, os.O_WRONLY|unix.O_NONBLOCK, 0)
		return err == nil
	})
	defer held.Close()
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v:\n%s", err, said)
	}
	if !strings.Contains(said.String(), "stopped before HAProxy was started") {
		t.Errorf("it says %s", said)
	}
}

func TestHAProxyThatDoesNotTellItsVersionIsGivenUp(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	up := s.hanging()
	if code, said := s.run(nil); code != exitcode.Failed || !strings.Contains(said, "did not finish in time") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	gone(t, up)
}

func TestCheckAndRenderEndWithTheHAProxyThatTheyAsk(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"check", "render"} {
		for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGINT} {
			t.Run(command+" "+unix.SignalName(sig), func(t *testing.T) {
				t.Parallel()
				s := newSandbox(t)
				up := s.hanging()
				cmd, said := s.start([]string{command})
				wait(t, "HAProxy is asked for its version", func() bool { _, err := os.Stat(up); return err == nil })
				begun := time.Now()
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait() // the code says it
				if code, took := cmd.ProcessState.ExitCode(), time.Since(begun); code != exitcode.Failed || took > versionWithin/2 {
					t.Errorf("exit code %d after %s:\n%s", code, took, said)
				}
				gone(t, up)
			})
		}
	}
}

package e2e

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
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// checked is the result of a run of check.
type checked struct {
	code           int
	stdout, stderr string
}

type checkFinding struct {
	Proxy, Severity, Where string
	Line                   int
	Text, Remedy           string
}

// check runs the command beside the stage's daemon, if any.
func (s *stage) check(file string, args ...string) checked {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	temporary := s.t.TempDir()
	cmd := exec.CommandContext(ctx, shared.binary,
		append([]string{"check", "--config", file, "--http-addr", s.http, "--run-dir", s.home + "/run", "--state-dir", s.home + "/state"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "TMPDIR=" + temporary, rig.EndsAtOnce}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		s.t.Errorf("left in the folder for temporary files: %v, %v", left, err)
	}
	return checked{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// findings runs check -o json.
func (s *stage) findings(file string, args ...string) (code int, findings []checkFinding) {
	s.t.Helper()
	got := s.check(file, append([]string{"-o", "json"}, args...)...)
	var document struct {
		Findings         []checkFinding
		Errors, Warnings int
	}
	decoder := json.NewDecoder(strings.NewReader(got.stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&document); err != nil {
		s.t.Fatalf("%v:\n%s%s", err, got.stdout, got.stderr)
	}
	count := func(severity string) (n int) {
		for _, f := range document.Findings {
			if f.Severity == severity {
				n++
			}
		}
		return n
	}
	if document.Findings == nil || document.Errors != count("error") || document.Warnings != count("warning") {
		s.t.Errorf("the counts are wrong:\n%s", got.stdout)
	}
	return got.code, document.Findings
}

// files returns the regular files and directories below the home, with their
// modification times.
func (s *stage) files() []string {
	s.t.Helper()
	var all []string
	err := filepath.WalkDir(s.home, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			all = append(all, path)
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		all = append(all, fmt.Sprint(path, info.Size(), info.ModTime()))
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s *stage) written() string {
	s.t.Helper()
	file, err := s.config.Write(s.home)
	if err != nil {
		s.t.Fatal(err)
	}
	return file
}

// wants fails the test unless a finding has this severity and place, and a text that
// begins with text.
func wants(t *testing.T, findings []checkFinding, severity, where, text string) {
	t.Helper()
	if !slices.ContainsFunc(findings, func(f checkFinding) bool {
		place := f.Where
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", place, f.Line)
		}
		return f.Severity == severity && strings.HasSuffix(place, where) && strings.Contains(f.Text, text)
	}) {
		t.Errorf("no %s at %s that says %q:\n%+v", severity, where, text, findings)
	}
}

func TestCheckOfTheSeed(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		file := s.written()
		before := s.files()
		code, findings := s.findings(file)
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
		const template = "haproxy.web.ngboss.conf.template"
		wants(t, findings, "warning", template+":10", "option redispatch")
		wants(t, findings, "warning", template+":20", "timeout http-keep-alive")
		wants(t, findings, "warning", template+":39", "default password")
		for _, f := range findings {
			// Versions with nbproc, and this machine's limit, cause more findings.
			if f.Severity == "error" || f.Text == "" || f.Where == "" || f.Remedy == "" && !strings.HasPrefix(f.Text, "HAProxy: ") {
				t.Errorf("%+v", f)
			}
			if strings.Contains(f.Text+f.Where, "haproxy-zk-check-") || strings.Contains(f.Text, "NOTICE") {
				t.Errorf("it names its own temporary file, or repeats HAProxy: %+v", f)
			}
		}
		got := s.check(file)
		if want := fmt.Sprintf("ngboss: good: 2 groups, HAProxy %s", h.Name); got.code != 0 || !strings.Contains(got.stdout, want) || !strings.Contains(got.stdout, "30 slots") {
			t.Errorf("%+v, want %q and 30 slots", got, want)
		}
		if got := s.check(file, "--strict"); got.code != 2 || !strings.Contains(got.stderr, "--strict") {
			t.Errorf("strict: %+v", got)
		}
		if diff := cmp.Diff(before, s.files()); diff != "" {
			t.Errorf("it changed files:\n%s", diff)
		}
	})
}

// TestCheckFindsNothing checks a template without any problem.
func TestCheckFindsNothing(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) {
			c.Template = goodTemplate()
			c.Workers = 1
		})
		got := s.check(s.written(), "--strict")
		lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
		if got.code != 0 || !strings.HasPrefix(lines[len(lines)-1], "ngboss: good: ") || strings.Contains(got.stdout, "warning") {
			t.Errorf("%+v", got)
		}
	})
}

// goodTemplate is the seed's template with its problems fixed.
func goodTemplate() string {
	return strings.NewReplacer(
		"maxconn 20000", "maxconn 1000",
		"maxconn         20000", "maxconn         1000",
		"    option          httplog\n", "    log             global\n    option          httplog\n    option          redispatch\n    timeout http-keep-alive 5s\n",
		"admin:admin", "admin:another",
	).Replace(rig.SeedTemplate)
}

func TestCheckFindsProblems(t *testing.T) {
	t.Parallel()
	occupied, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { occupied.Close() }) // the runs on each HAProxy outlive this function
	port := occupied.Addr().(*net.TCPAddr).Port
	replace := func(old, text string) func(*rig.SeedConfig) {
		return func(c *rig.SeedConfig) { c.Template = strings.Replace(goodTemplate(), old, text, 1) }
	}
	type want struct{ severity, where, text string }
	for _, test := range []struct {
		name   string
		change func(*rig.SeedConfig)
		after  func(*testing.T, *stage)
		want   []want
	}{
		{
			name:   "a port is taken",
			change: func(c *rig.SeedConfig) { c.ListenerPort = port },
			want:   []want{{"error", "ngboss.listener_port", fmt.Sprintf("port %d is in use", port)}},
		},
		{
			name:   "a group's port is taken",
			change: func(c *rig.SeedConfig) { c.Groups[1].Extra = map[string]any{"listener_port": port} },
			want:   []want{{"error", "ngboss.groups.web-basecentre.listener_port", "is in use"}},
		},
		{
			name:   "a port of the template's own is taken",
			change: replace("listen admin_stats", fmt.Sprintf("listen own\n    bind 127.0.0.1:%d\n    server x 127.0.0.1:1\n\nlisten admin_stats", port)),
			want:   []want{{"error", "conf.template:35", "is in use"}},
		},
		{
			name: "a folder cannot be written",
			change: func(c *rig.SeedConfig) {
				c.Extra = map[string]any{"conf_file": "/proc/nowhere/haproxy.conf"}
			},
			want: []want{{"error", "ngboss.conf_file", "/proc/nowhere"}},
		},
		{
			name: "a folder is a file",
			change: func(c *rig.SeedConfig) {
				c.Extra = map[string]any{"pid_file": "${HOME}/etc/web.config.json/x/haproxy.pid"}
			},
			want: []want{{"error", "ngboss.pid_file", "not a directory"}},
		},
		{
			name:   "HAProxy refuses a line of the template",
			change: replace("option          httplog", "option          httpblog"),
			want:   []want{{"error", "conf.template:13", "unknown option 'httpblog'"}},
		},
		{
			name:   "HAProxy refuses a group's acl",
			change: func(c *rig.SeedConfig) { c.Groups[1].ACLs = []string{"no_such_fetch /x"} },
			want:   []want{{"error", "ngboss.groups.web-basecentre", "no_such_fetch"}},
		},
		{
			name:   "HAProxy refuses a group's balance",
			change: func(c *rig.SeedConfig) { c.Groups[1].Balance = "juggle" },
			want:   []want{{"error", "ngboss.groups.web-basecentre", "balance"}},
		},
		{
			name:   "a pitfall that HAProxy does not report",
			change: replace("\ndefaults\n", "\ndefaults\n    load-server-state-from-file global\n"),
			want:   []want{{"warning", "conf.template:11", "restores the port"}},
		},
		{
			name:   "the workers would exit at once",
			change: replace("global\n", "global\n    chroot /nowhere/at/all\n"),
			want:   []want{{"error", "conf.template:2", "/nowhere/at/all is not a directory"}},
		},
		{
			name:   "the log is lost",
			change: replace("log 127.0.0.1 local0 info", "log stdout format raw local0"),
			want:   []want{{"warning", "conf.template:3", "the log is lost"}},
		},
		{
			name:   "everything that is wrong with a template",
			change: func(c *rig.SeedConfig) { c.Template = "global\n    master-worker\n\nfrontend x\n    bind $acl\n" },
			want: []want{
				{"error", "conf.template:2", "master-worker"},
				{"error", "conf.template:5", "$acl becomes whole lines"},
				{"error", "ngboss.template", "$sockets is missing"},
				{"error", "ngboss.template", "$backend is missing"},
			},
		},
		{
			name: "HAProxy is missing, and the template is wrong as well",
			change: func(c *rig.SeedConfig) {
				c.Extra = map[string]any{"exec": "/nowhere/haproxy"}
				c.Template = "global\n$sockets\n"
			},
			want: []want{{"error", "ngboss.exec", "/nowhere/haproxy"}, {"error", "ngboss.template", "$backend is missing"}},
		},
		{
			name: "the configuration has problems",
			change: func(c *rig.SeedConfig) {
				c.Groups[1].Extra = map[string]any{"max_server": "many"}
				c.Extra = map[string]any{"listner_port": 1}
			},
			want: []want{
				{"error", "web.config.json:20", "ngboss.groups.web-basecentre.max_server"},
				{"warning", "web.config.json:33", "did you mean"},
			},
		},
		{
			name:  "there is no configuration",
			after: func(t *testing.T, s *stage) { removeFile(t, filepath.Join(s.home, "etc", "web.config.json")) },
			want:  []want{{"error", "configuration", "does not exist"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
				s := newStage(t, h, func(c *rig.SeedConfig) {
					c.Template = goodTemplate()
					if test.change != nil {
						test.change(c)
					}
				})
				file := s.written()
				if test.after != nil {
					test.after(t, s)
				}
				code, findings := s.findings(file)
				failed := 0
				for _, w := range test.want {
					wants(t, findings, w.severity, w.where, w.text)
					if w.severity == "error" {
						failed = 2
					}
				}
				if code != failed {
					t.Errorf("exit code %d, want %d", code, failed)
				}
			})
		})
	}
}

// TestCheckReportsVersionDependentLines checks lines that one version accepts and
// another rejects, as reported by HAProxy itself.
func TestCheckReportsVersionDependentLines(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) {
			c.Template = strings.NewReplacer(
				"    quiet\n", "    quiet\n    tune.chksize 1024\n",
				"mode            http\n\n$acl", "mode            http\n    reqrep ^x y\n\n$acl").Replace(goodTemplate())
		})
		_, findings := s.findings(s.written())
		const chksize, reqrep = "conf.template:6", "conf.template:27"
		if h.Major == 2 && h.Minor == 0 {
			wants(t, findings, "warning", reqrep, "HAProxy 2.1 removed")
		} else {
			wants(t, findings, "error", reqrep, "HAProxy 2.1 removed")
		}
		if h.Nbproc {
			if slices.ContainsFunc(findings, func(f checkFinding) bool { return strings.Contains(f.Text, "chksize") }) {
				t.Errorf("tune.chksize is fine here: %+v", findings)
			}
		} else {
			wants(t, findings, "error", chksize, "no tune.chksize")
		}
	})
}

func TestCheckOfTheHTTPAddress(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared.haproxies[0], nil)
	file := s.written()
	s.http = s.config.Listener()
	_, findings := s.findings(file)
	wants(t, findings, "error", "HTTP_ADDR", "is also the address of ngboss.listener_port")
	if got := s.check(file, "-o", "yaml"); got.code != 2 || got.stdout != "" {
		t.Errorf("-o yaml: %+v", got)
	}
}

// TestCheckBesideRunningDaemon checks beside a daemon with the same configuration, and
// then beside an HAProxy left by a killed one.
func TestCheckBesideRunningDaemon(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		file := filepath.Join(s.home, "etc", "web.config.json")
		s.eventually("the daemon has kept both groups", func() error {
			text, err := os.ReadFile(s.stateFile())
			if err == nil && (!strings.Contains(string(text), front) || !strings.Contains(string(text), base)) {
				err = errors.New(string(text))
			}
			return err
		})
		unchanging := func() []string { // the daemon itself records events meanwhile
			return slices.DeleteFunc(s.files(), func(file string) bool { return strings.Contains(file, "/events.log") })
		}
		before := unchanging()
		code, findings := s.findings(file)
		wants(t, findings, "note", "ngboss.pid_file", "a haproxy-zk is already running this proxy")
		if code != 0 {
			t.Errorf("exit code %d: %+v", code, findings)
		}
		if diff := cmp.Diff(before, unchanging()); diff != "" {
			t.Errorf("it changed files:\n%s", diff)
		}
		s.daemon.Kill()
		code, findings = s.findings(file)
		wants(t, findings, "note", "ngboss.pid_file", "run takes over from it")
		if code != 0 {
			t.Errorf("exit code %d: %+v", code, findings)
		}
	})
}

func TestCheckOnline(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared.haproxies[0], nil)
	s.connect()
	s.app(front)
	file := s.written()
	code, findings := s.findings(file, "--online")
	wants(t, findings, "warning", "ngboss.groups.web-basecentre.zk.path", "is not there yet")
	if code != 0 || slices.ContainsFunc(findings, func(f checkFinding) bool { return strings.Contains(f.Where, front) }) {
		t.Errorf("exit code %d: %+v", code, findings)
	}

	closed, err := rig.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	there := s.config.ZKAddr
	away := fmt.Sprintf("127.0.0.1:%d", closed)
	s.config.ZKAddr = away + "," + there
	code, findings = s.findings(s.written(), "--online")
	wants(t, findings, "warning", "ngboss.zk.addr", away+" cannot be reached")
	if code != 0 {
		t.Errorf("exit code %d: %+v", code, findings)
	}

	s.config.ZKAddr = away
	code, findings = s.findings(s.written(), "--online")
	wants(t, findings, "error", "ngboss.zk.addr", away+" cannot be reached")
	if code != 2 {
		t.Errorf("exit code %d: %+v", code, findings)
	}

	// It accepts connections and never answers.
	silent, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s.config.ZKAddr = silent.Addr().String()
	code, findings = s.findings(s.written(), "--online")
	wants(t, findings, "error", "ngboss.zk.addr", "no session with ZooKeeper")
	if code != 2 {
		t.Errorf("exit code %d: %+v", code, findings)
	}
}

// Only the configuration for all discovered groups is known before their discovery: its
// problems are reported at the key, without a group's name.
func TestCheckFindsProblemsOfDiscoveredGroups(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) {
			discovering(c)
			c.Groups[1].Balance = "foo"
		})
		s.connect()
		code, findings := s.findings(s.written())
		wants(t, findings, "error", `ngboss.groups."*".balance`, "HAProxy: balance only supports")
		if code != 2 || slices.ContainsFunc(findings, func(f checkFinding) bool {
			return strings.Contains(f.Where+f.Text+f.Remedy, "any-discovered")
		}) {
			t.Errorf("exit code %d: %+v", code, findings)
		}
		s.app("shop")
		s.app("cart")
		code, findings = s.findings(s.written(), "--online")
		wants(t, findings, "error", `ngboss.groups."*".balance`, "HAProxy: balance only supports")
		if code != 2 || len(slices.DeleteFunc(findings, func(f checkFinding) bool { return f.Severity != "error" })) != 1 {
			t.Errorf("exit code %d: %+v", code, findings)
		}
		s.config.Groups[1].Balance = "roundrobin"
		if code, findings = s.findings(s.written(), "--online"); code != 0 {
			t.Errorf("exit code %d: %+v", code, findings)
		}
		s.config.Template = strings.Replace(s.config.Template, "$use_backend\n", "", 1)
		_, findings = s.findings(s.written())
		wants(t, findings, "warning", `ngboss.groups."*"`, "unreachable: no rule selects discovered groups")
	})
}

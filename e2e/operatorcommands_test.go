package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// follows starts a command whose output is read line by line.
func (s *stage) follows(args ...string) (lines *bufio.Reader, hangUp func(), ended <-chan error) {
	s.t.Helper()
	command := exec.CommandContext(s.t.Context(), s.binary, append(args, "--run-dir", s.home+"/run", "--http-addr", s.http)...)
	out, err := command.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := out.(*os.File).SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		s.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	end := make(chan error, 1)
	return bufio.NewReader(out), func() {
		out.Close()
		go func() { end <- command.Wait() }()
	}, end
}

// prints reads lines until one has these words.
func (s *stage) prints(lines *bufio.Reader, words string) {
	s.t.Helper()
	for {
		line, err := lines.ReadString('\n')
		if strings.Contains(line, words) {
			return
		}
		if err != nil {
			s.t.Fatalf("no line with %q: %v", words, err)
		}
	}
}

// A command that follows events continues over a restart of the daemon, and ends when
// nobody reads it any more.
func TestFollowedEventsOverARestart(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		lines, hangUp, ended := s.follows("events", "--follow", "--since", "1h")
		s.prints(lines, "start")
		a := s.app(front)
		s.prints(lines, "registered ngboss/"+front+"/"+a.Addr())
		if err := s.daemon.Signal(sigterm); err != nil {
			t.Fatal(err)
		}
		s.exits(0)
		s.prints(lines, "stop")
		s.start()
		s.prints(lines, "start")
		s.ready() // instances of the first list are not reported
		b := s.app(front)
		s.prints(lines, "registered ngboss/"+front+"/"+b.Addr())
		hangUp()
		s.app(front) // the next line finds nobody
		s.eventually("it ends", func() error {
			select {
			case err := <-ended:
				if err == nil {
					t.Error("it ends as if it had been read")
				}
				return nil
			default:
				return fmt.Errorf("it still runs")
			}
		})
	})
}

// diff returns what a reload with a configuration would change. The command finds HAProxy
// where the daemon does.
func (s *stage) diff(file string) string {
	s.t.Helper()
	command := exec.CommandContext(s.t.Context(), s.binary, "render", "--diff", "--config", file, "--run-dir", s.home+"/run", "--http-addr", s.http)
	command.Env = append(os.Environ(), "HOME="+s.home)
	said, err := command.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, said)
	}
	return string(said)
}

// What changes a running daemon, or would.
func TestLogLevelAndDiff(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		expect := func(wantCode int, words string, args ...string) {
			t.Helper()
			if code, said := s.asks(args...); code != wantCode || !strings.Contains(said, words) {
				t.Errorf("%q: exit code %d, want %d and %q:\n%s", args, code, wantCode, words, said)
			}
		}
		expect(0, "info\n", "log-level")
		expect(0, "the log level is debug, until haproxy-zk ends; to change it back: haproxy-zk log-level info", "log-level", "debug")
		expect(0, "debug\n", "log-level")
		expect(2, `"loud" is no level`, "log-level", "loud")

		file, err := s.config.Write(s.home)
		if err != nil {
			t.Fatal(err)
		}
		if said := s.diff(file); !strings.HasPrefix(said, "ngboss: a reload would change nothing") {
			t.Errorf("%s", said)
		}
		s.config.Groups[0].HTTPChk = "GET /other.jsp"
		if file, err = s.config.Write(s.home); err != nil {
			t.Fatal(err)
		}
		said := s.diff(file)
		if !strings.HasPrefix(said, "--- ngboss as it runs\n+++ ngboss after a reload\n") || !strings.Contains(said, "/other.jsp") || strings.Contains(said, "\n-    server") || strings.Contains(said, "\n+    server") {
			t.Errorf("%s", said)
		}
		for words, args := range map[string][]string{
			`did you mean ` + front + `?`:          {"explain", "ngboss/" + front + "x"},
			`is not PROXY/GROUP[/IP:PORT]`:         {"explain", "ngboss"},
			`--output "xml" is no format`:          {"get", "-o", "xml"},
			`--by "load" is no order`:              {"top", "--by", "load"},
			`/events is answered 400: no kind "x"`: {"events", "--kind", "x"},
			`ngboss/` + front + "/" + a.Addr():     {"get", "-o", "name"},
		} {
			if _, said := s.asks(args...); !strings.Contains(said, words) {
				t.Errorf("%q: no %q in\n%s", args, words, said)
			}
		}
	})
}

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// readme returns a section of the README.
func readme(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("the README has no %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// commands returns the lines of code in a text that begin with a word, without
// comments.
func commands(text, word string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if code, ok := strings.CutPrefix(line, "    "+word+" "); ok {
			code, _, _ = strings.Cut(code, " # ")
			found = append(found, strings.TrimSpace(code))
		}
	}
	return found
}

var jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")

// The configuration in the README behaves as the commands below it show.
func TestConfigurationOfTheREADME(t *testing.T) {
	t.Parallel()
	section := readme(t, "## A configuration")
	block := jsonBlock.FindStringSubmatch(section)
	shown := commands(section, "haproxy-zk")
	if block == nil || len(shown) != 4 {
		t.Fatalf("the README shows the configuration %q and the commands %q", block, shown)
	}
	s := newStage(t, shared.haproxies[0], nil)
	s.connect()
	listener := s.port()
	text := block[1]
	for was, is := range map[string]string{
		`"10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181"`: fmt.Sprintf("%q", shared.zookeeper.Addr()),
		`"/services/${group}/instances"`:              fmt.Sprintf("%q", s.config.ZKPath),
		// The machine may lack the second one and the executable.
		`"listener_port": 8080`: fmt.Sprintf(`"listener_port": %d, "admin_port": %d, "exec": %q`, listener, s.port(), s.config.HAProxy),
	} {
		if !strings.Contains(text, was) {
			t.Fatalf("the configuration does not have %s", was)
		}
		text = strings.ReplaceAll(text, was, is)
	}
	if err := os.WriteFile(filepath.Join(s.home, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environment := []string{"HTTP_ADDR=" + s.http, "RUN_DIR=" + s.home + "/run", "STATE_DIR=" + s.home + "/state", rig.EndsAtOnce}
	for i, says := range []string{"good: 2 groups", "backend web-basecentre"} {
		command := exec.CommandContext(t.Context(), s.binary, strings.Fields(shown[i])...)
		command.Dir, command.Env = s.home, append(os.Environ(), environment...)
		output, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(output), says) {
			t.Errorf("haproxy-zk %s: %v\n%s", shown[i], err, output)
		}
	}
	daemon, err := rig.StartDaemon(rig.DaemonOptions{Binary: s.binary, Args: strings.Fields(shown[2]), Env: environment, Dir: s.home})
	if err != nil {
		t.Fatal(err)
	}
	s.daemon = daemon
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemon said:\n%s", daemon.Output())
		}
		if err := daemon.Close(); err != nil {
			t.Error(err)
		}
	})
	s.ready()
	a, b := s.app(front), s.app(base)
	s.eventually("the default group serves", func() error { return s.answersAt(listener, "/", a) })
	s.eventually("the other group serves", func() error { return s.answersAt(listener, "/basecentre/x", b) })
	if code, body := s.get("/"); code != http.StatusOK || !strings.Contains(body, a.Addr()) {
		t.Errorf("%d %s", code, body)
	}
	explain := exec.CommandContext(t.Context(), s.binary, strings.Fields(shown[3])...)
	explain.Env = append(os.Environ(), environment...)
	if output, err := explain.CombinedOutput(); err != nil || !strings.HasPrefix(string(output), "ngboss/web-ngboss serves with ") {
		t.Errorf("haproxy-zk %s: %v\n%s", shown[3], err, output)
	}
	s.stopped()
}

// `make demo` is likely the first command run in a checkout.
func TestDemoOfTheREADME(t *testing.T) {
	t.Parallel()
	shown := commands(readme(t, "### Without Docker"), "make")
	if len(shown) != 1 || shown[0] != "demo" {
		t.Fatalf("the README shows make %q", shown)
	}
	command := exec.CommandContext(t.Context(), "make", shown...)
	command.Dir = ".."
	command.Env = append(os.Environ(), "GOFLAGS=")
	command.WaitDelay = time.Second
	output, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "failures  0") {
		t.Errorf("make demo: %v\n%s", err, output)
	}
}

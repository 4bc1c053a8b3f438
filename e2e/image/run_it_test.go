//go:build image

package image

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// The commands of the README's "Run it" are run unchanged, except for names and ports
// that may be in use here, and for image stand-ins.
func TestRunItOfTheREADME(t *testing.T) {
	image := shared.images[0]
	_, section, _ := strings.Cut(read(t, "README.md"), "\n## Run it\n")
	section, _, _ = strings.Cut(section, "\n## ")
	network, zookeeper, name, fromFiles := rig.UniqueName("net"), rig.UniqueName("zookeeper"), rig.UniqueName("lb"), rig.UniqueName("files")
	files := t.TempDir()
	if err := os.Chmod(files, 0o755); err != nil { // the container's user enters it
		t.Fatal(err)
	}
	shown := newSubstitution(t, section, map[string]string{
		"mkdir -p services/": "mkdir -p " + files + "/",
		"touch services/":    "touch " + files + "/",
		"docker run -v ./services:/srv/services -e SERVICES_DIR=/srv/services -p 8080:8080 haproxy-zk": "docker run -d --name " + fromFiles + " -v " + files + ":/srv/services -e SERVICES_DIR=/srv/services -p 127.0.0.1::8080 -p 127.0.0.1::21000 " + name +
			" && docker network connect " + network + " " + fromFiles,
		"docker build -t haproxy-zk ":         "docker build -t " + name + " --build-arg GO_IMAGE=" + golangImage + " ",
		"HAPROXY_IMAGE=haproxy:3.2":           "HAPROXY_IMAGE=" + image.base(t),
		"network create lb":                   "network create " + network,
		"--network lb":                        "--network " + network,
		"--name zookeeper zookeeper:3.9":      "--name " + zookeeper + " " + zookeeperImage,
		"--name haproxy-zk ":                  "--name " + name + " ",
		"zookeeper:2181":                      zookeeper + ":2181",
		"8080:8080 -p 21000:21000 haproxy-zk": "127.0.0.1::8080 -p 127.0.0.1::21000 " + name,
		"exec -it zookeeper":                  "exec -i " + zookeeper,
	})

	removals := [][]string{{"rm", "--force", "--volumes", fromFiles}, {"rm", "--force", "--volumes", name}, {"rm", "--force", "--volumes", zookeeper}, {"network", "rm", network}, {"image", "rm", name}}
	t.Cleanup(func() {
		for _, args := range removals {
			if _, err := rig.Docker(context.Background(), args...); err != nil {
				t.Error(err)
			}
		}
	})
	// The network comes first here: the container with the files joins it to reach the
	// application.
	lines := slices.Concat(shown.lines("docker network "), shown.lines("docker build ", "mkdir ", "docker run "))
	for _, line := range lines {
		ctx, cancel := context.WithTimeout(t.Context(), buildWithin)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sh", "-c", line)
		cmd.Dir = "../.."
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, text)
		}
	}

	s := newStage(t, image)
	s.networks = []string{network}
	named := func(name string) *balancer {
		return &balancer{s: s, container: &container{&rig.Container{ID: name, Networks: s.networks}}}
	}
	b := named(name)
	answers := func(t *testing.T, b *balancer, status int, body string) {
		t.Helper()
		eventually(t, "/web/", func() error {
			if code, text := rig.Get("http://" + b.listener() + "/web/"); code != status || !strings.Contains(text, body) {
				return fmt.Errorf("%d %s; haproxy-zk printed:\n%s", code, text, b.Logs())
			}
			return nil
		})
	}
	// It would register itself elsewhere: the README's command registers it.
	a := run(t, rig.ContainerOptions{Image: appImage, Networks: s.networks, Flags: []string{"--env", "ZK_ADDR=" + zookeeper + ":2181", "--env", "ZK_PATH=/elsewhere"}})
	ip, err := a.IP(network)
	if err != nil {
		t.Fatal(err)
	}
	address := newSubstitution(t, shown.text, map[string]string{"172.17.0.4:8080": ip + ":8080", "172.18.0.4:8080": ip + ":8080"})

	t.Run("files", func(t *testing.T) {
		by := named(fromFiles)
		for _, line := range address.lines("touch ") {
			if text, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", line, err, text)
			}
		}
		answers(t, by, http.StatusOK, "web "+ip+":8080\n")
		if err := os.RemoveAll(files + "/web"); err != nil {
			t.Fatal(err)
		}
		answers(t, by, http.StatusServiceUnavailable, "")
	})

	t.Run("zkCli", func(t *testing.T) {
		session := startSession(t, "docker", "exec", "-i", zookeeper, "zkCli.sh")
		session.say(strings.Join(address.lines("create "), "\n"))
		answers(t, b, http.StatusOK, "web "+ip+":8080\n")
		session.say("quit")
		session.end()
		answers(t, b, http.StatusServiceUnavailable, "")
	})
	t.Run("kazoo", func(t *testing.T) {
		script := append(address.lines("from kazoo", "zk."), "import sys", "sys.stdin.read()", "zk.stop()")
		session := startSession(t, "docker", "exec", "-i", zookeeper, "python3", "-c", strings.Join(script, "\n"))
		answers(t, b, http.StatusOK, "web "+ip+":8080\n")
		session.end()
		answers(t, b, http.StatusServiceUnavailable, "")
	})
}

// session is a command that runs until its input ends.
type session struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

func startSession(t *testing.T, name string, args ...string) *session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), setUp)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &session{t: t, cmd: cmd, stdin: stdin}
}

func (s *session) say(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.stdin, text+"\n"); err != nil {
		s.t.Fatal(err)
	}
}

// end closes the input and waits for the command, which is killed after a timeout.
func (s *session) end() {
	s.t.Helper()
	if err := s.stdin.Close(); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("%s: %v", s.cmd, err)
	}
}

// substitution is a text with replaced words.
type substitution struct{ text string }

// newSubstitution replaces words, all of which must be in the text.
func newSubstitution(t *testing.T, text string, words map[string]string) substitution {
	t.Helper()
	var pairs []string
	for word, with := range words {
		if !strings.Contains(text, word) {
			t.Errorf("the README does not show %q", word)
		}
		pairs = append(pairs, word, with)
	}
	return substitution{strings.NewReplacer(pairs...).Replace(text)}
}

// lines returns the lines of code that begin with one of several words.
func (s substitution) lines(words ...string) []string {
	var found []string
	for line := range strings.Lines(s.text) {
		code, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "    ")
		if ok && slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(code, word) }) {
			found = append(found, code)
		}
	}
	return found
}

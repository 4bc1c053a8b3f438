//go:build image

package image

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// shellImage has a shell and its tools, as the images of applications do; haproxy-zk's own
// need not.
const shellImage = "haproxy-zk-test-golang:latest"

// wrap starts a container whose process 1 is haproxy-zk register, from the image that is
// tested, with a shell script as its command.
func (s *stage) wrap(group, script string, flags ...string) *container {
	s.t.Helper()
	const path = "/usr/local/bin/haproxy-zk"
	args := append([]string{"register", "--zk-path", s.path + "/${group}/instances", "--group", group, "--log-format", "text"}, flags...)
	return run(s.t, rig.ContainerOptions{
		Image: shellImage, Networks: s.networks,
		Flags: []string{"--volume", s.copied(path) + ":" + path + ":ro", "--entrypoint", path, "--env", "ZK_ADDR=zookeeper:2181"},
		Args:  append(args, "--", "sh", "-c", script),
	})
}

// copied copies a file out of the image that is tested, and returns its path.
func (s *stage) copied(path string) string {
	s.t.Helper()
	id, err := rig.Docker(s.t.Context(), "create", "--platform", "linux/"+s.image.Arch, s.image.Tag)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &container{&rig.Container{ID: id}}
	to := filepath.Join(s.t.TempDir(), filepath.Base(path))
	_, err = rig.Docker(s.t.Context(), "cp", id+":"+path, to)
	if err := errors.Join(err, c.Remove()); err != nil {
		s.t.Fatal(err)
	}
	return to
}

// registered waits until a group has exactly these children.
func (s *stage) registered(group string, want ...string) {
	s.t.Helper()
	eventually(s.t, "registered in "+group, func() error {
		got, err := s.registry.Children(s.path + "/" + group + "/instances")
		if err != nil && len(want) > 0 {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("registered are %v, want %v", got, want)
		}
		return nil
	})
}

// As process 1 of a container, haproxy-zk register finds its own address, reaps what its
// command leaves behind, forwards signals and exits with the command's code.
func TestRegisterIsProcessOne(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		c := s.wrap("web", `i=0; while [ $i -lt 50 ]; do (sh -c : &); i=$((i+1)); done
trap "echo it got HUP" HUP; trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done`, "--address", ":8080", "--check", "none", "--drain", "1s")
		ip, err := c.IP(s.networks[0])
		if err != nil {
			t.Fatal(err)
		}
		s.registered("web", ip+":8080")
		eventually(t, "the command runs", func() error { return c.Says("ready") })
		eventually(t, "no zombie is left", func() error {
			processes, err := c.processes()
			for _, p := range processes {
				if strings.HasPrefix(p.state, "Z") {
					err = errors.Join(err, fmt.Errorf("%+v", p))
				}
			}
			return err
		})
		if err := c.signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "HUP is forwarded", func() error { return c.Says("it got HUP") })
		begun := time.Now()
		code, _, err := c.stop()
		if err != nil || code != "9" {
			t.Errorf("exit code %q, %v; it said:\n%s", code, err, c.Logs())
		}
		if took := time.Since(begun); took < time.Second {
			t.Errorf("it stopped after %v, without a drain", took)
		}
		s.registered("web")
	})
}

func TestRegisterPassesOnHowTheCommandEnds(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		for script, want := range map[string]int{"exit 5": 5, "kill -9 $$": 128 + int(syscall.SIGKILL), "exec /nowhere": 127} {
			c := s.wrap("web", script, "--address", ":8080")
			eventually(t, script, func() error {
				state, err := c.Inspect("{{.State.Running}} {{.State.ExitCode}}")
				if err == nil && state != "false "+strconv.Itoa(want) {
					err = fmt.Errorf("it is %s; it said:\n%s", state, c.Logs())
				}
				return err
			})
		}
		s.registered("web")
	})
}

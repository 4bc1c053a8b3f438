//go:build image

package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// program is the path of haproxy-zk in its processes' arguments.
const program = "/usr/local/bin/haproxy-zk"

// killed is docker's exit code for a process ended by SIGKILL.
const killed = 128 + int(syscall.SIGKILL)

// tree is the process tree of a container, by pids on this host.
type tree struct {
	first, daemon int
	workers       []int
}

func (b *balancer) tree() (tree, error) {
	first, err := b.PID()
	if err != nil {
		return tree{}, err
	}
	t := tree{first: first}
	processes, err := b.processes()
	if err != nil {
		return t, err
	}
	for _, p := range processes {
		switch {
		case p.pid == first:
		case p.args == program && p.ppid == first:
			t.daemon = p.pid
		case strings.Contains(p.args, "haproxy") && strings.Contains(p.args, " -D -f "):
			t.workers = append(t.workers, p.pid)
		}
	}
	slices.Sort(t.workers)
	if t.daemon == 0 {
		return t, fmt.Errorf("no daemon runs: %+v", processes)
	}
	return t, nil
}

func (b *balancer) running() tree {
	b.s.t.Helper()
	var t tree
	eventually(b.s.t, "the daemon runs", func() (err error) {
		t, err = b.tree()
		return err
	})
	return t
}

// recovered waits for a new daemon that is ready. It fails the test if an HAProxy was
// replaced.
func (b *balancer) recovered(before tree) tree {
	b.s.t.Helper()
	var now tree
	eventually(b.s.t, "another daemon", func() (err error) {
		if now, err = b.tree(); err == nil && now.daemon == before.daemon {
			err = errors.New("it is still the previous daemon")
		}
		return err
	})
	b.ready()
	if now.first != before.first || !slices.Equal(now.workers, before.workers) {
		b.s.t.Errorf("processes %+v, before %+v", now, before)
	}
	return now
}

// buildHog returns the path of a static executable of the command hog.
func buildHog(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hog")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./hog")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build hog: %v\n%s", err, output)
	}
	return path
}

// No death of the daemon costs a request or an HAProxy: process 1 restarts it, and it
// adopts the serving HAProxy.
func TestDaemonCrashLosesNoRequest(t *testing.T) {
	t.Parallel()
	hog := buildHog(t)
	signal := func(sig syscall.Signal) func(*balancer, tree) error {
		return func(_ *balancer, t tree) error { return syscall.Kill(t.daemon, sig) }
	}
	for _, tt := range []struct {
		name string
		end  func(*balancer, tree) error
	}{
		{"SIGKILL", signal(syscall.SIGKILL)},
		{"SIGABRT", signal(syscall.SIGABRT)},
		{"out of memory", func(b *balancer, _ tree) error {
			_, err := rig.Docker(b.s.t.Context(), "exec", b.ID, "/hog")
			if exit, is := errors.AsType[*exec.ExitError](err); is && exit.ExitCode() == killed {
				return nil // after the daemon, as [balancer.recovered] sees
			}
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEveryImage(t, func(t *testing.T, image Image) {
				s := newStage(t, image)
				a := s.app("web")
				b := s.balancer("--memory", "160m", "--memory-swap", "160m", "--shm-size", "160m", "--volume", hog+":/hog:ro")
				b.serves("web", a)
				load := b.load("web")
				s.used(load, a)
				now := b.running()
				for range 3 {
					begun := time.Now()
					if err := tt.end(b, now); err != nil {
						t.Fatal(err)
					}
					now = b.recovered(now)
					t.Logf("ready again after %v", time.Since(begun).Round(time.Millisecond))
				}
				c := s.app("web")
				b.serves("web", a, c)
				s.used(load, a, c)
				// Its log is forwarded as before. HAProxy drops lines while the log
				// socket is full.
				eventually(t, "HAProxy's log", func() error {
					if code, body := rig.Get("http://" + b.listener() + "/web/after-all"); code != http.StatusOK {
						return fmt.Errorf("/web/after-all: %d %s", code, body)
					}
					return b.Says("GET /web/after-all ")
				})
				t.Log(load.Result())
				s.lost(load)
				if code, took, err := b.stop(); code != "0" || took > grace-time.Second || err != nil {
					t.Errorf("exit code %s after %s, %v", code, took, err)
				}
			})
		})
	}
}

// The OOM killer chooses the daemon before any worker, and process 1 last.
func TestOOMKillerPrefersTheDaemonToHAProxy(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		a := s.app("web")
		b := s.balancer("--env", "MAX_SERVER=1")
		b.serves("web", a)
		c := s.app("web") // a reload, whose HAProxy is started by a running daemon
		b.serves("web", a, c)
		score := func(pid int) int {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
			if err != nil {
				t.Fatal(err)
			}
			n, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		now := b.running()
		for _, worker := range now.workers {
			if d, w := score(now.daemon), score(worker); d != w+500 {
				t.Errorf("oom_score_adj of the daemon is %d, of a worker %d", d, w)
			}
			if p, w := score(now.first), score(worker); p != w {
				t.Errorf("oom_score_adj of process 1 is %d, of a worker %d", p, w)
			}
		}
	})
}

// Process 1 needs little memory, since the container depends on it.
func TestProcessOneIsSmall(t *testing.T) {
	const most = 12 << 20
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		b := s.balancer()
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.running().first))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "\nVmRSS:")
		var resident int
		if _, err := fmt.Sscan(rest, &resident); err != nil {
			t.Fatal(err)
		}
		t.Logf("process 1 takes %d KB", resident)
		if resident<<10 > most {
			t.Errorf("process 1 takes %d KB", resident)
		}
	})
}

// A signal for the container is passed to the daemon.
func TestSignalsReachTheDaemon(t *testing.T) {
	reloads := func(b *balancer) func() error {
		line := `haproxyzk_reloads_total{cause="signal",proxy="default",result="ok"}`
		return func() error {
			got, err := b.metric(line)
			if err == nil && got != "1" {
				err = fmt.Errorf("%s reloads", got)
			}
			return err
		}
	}
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		a := s.app("web")
		b := s.balancer()
		b.serves("web", a)
		send := func(b *balancer, sig string) {
			t.Helper()
			if _, err := rig.Docker(t.Context(), "kill", "--signal", sig, b.ID); err != nil {
				t.Fatal(err)
			}
		}
		load := b.load("web")
		send(b, "HUP")
		eventually(t, "it reads the configuration again", func() error { return b.Says("configuration reloaded") })
		send(b, "USR2")
		eventually(t, "it reloads", reloads(b))
		send(b, "WINCH") // has no effect
		b.serves("web", a)
		s.lost(load)
		for _, sig := range []string{"TERM", "INT", "QUIT", "USR1"} {
			if sig != "TERM" {
				b = s.balancer()
			}
			send(b, sig)
			if code := b.ended(); code != "0" {
				t.Errorf("%s: exit code %s", sig, code)
			}
		}
	})
}

// ended waits for the end of a container and returns its exit code.
func (c *container) ended() string {
	code := ""
	err := rig.Eventually(context.Background(), within, func() error {
		text, err := c.Inspect("{{.State.Running}} {{.State.ExitCode}}")
		running, exit, _ := strings.Cut(text, " ")
		if code = exit; err == nil && running != "false" {
			err = errors.New("it runs")
		}
		return err
	})
	if err != nil {
		return err.Error()
	}
	return code
}

// A wrong configuration at the time of a crash ends no HAProxy; at the first start it
// still ends the container.
func TestWrongConfigurationAfterCrash(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		folder := t.TempDir()
		write := func(groups string) {
			t.Helper()
			s.writeConfiguration(folder, groups)
		}
		const good, bad = `"web": {"acls": ["path_beg -i /web"]}`, `"web": {"mode": "carrier pigeon"}`
		write(good)
		a := s.app("web")
		mount := []string{"--volume", folder + ":/etc/haproxy-zk:ro"}
		b := s.configured(mount...)
		b.serves("web", a)
		load := b.load("web")
		before := b.running()
		write(bad)
		if err := syscall.Kill(before.daemon, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it fails beside HAProxy", func() error { return b.Says("failed beside a running HAProxy") })
		if code, body := rig.Get("http://" + b.listener() + "/web/"); code != http.StatusOK {
			t.Errorf("/web/: %d %s", code, body)
		}
		write(good)
		if _, err := rig.Docker(t.Context(), "kill", "--signal", "HUP", b.ID); err != nil {
			t.Fatal(err)
		}
		b.recovered(before)
		b.serves("web", a)

		// A stop while no daemon can run is still graceful.
		before = b.running()
		write(bad)
		if err := syscall.Kill(before.daemon, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is tried more and more rarely", func() error { return b.Says("retry_in") })
		s.lost(load)
		if code, took, err := b.stop(); code != "0" || took > grace-time.Second || err != nil {
			t.Errorf("exit code %s after %s, %v", code, took, err)
		}
		if err := b.Says("HAProxy has stopped"); err != nil {
			t.Error(err)
		}
		first := run(t, rig.ContainerOptions{Image: image.Tag, Networks: s.networks, Flags: mount})
		if code := first.ended(); code != "2" {
			t.Errorf("a first start with a wrong configuration: exit code %s", code)
		}
	})
}

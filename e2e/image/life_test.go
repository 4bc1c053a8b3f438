//go:build image

package image

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// grace is how long `docker stop` waits before it kills.
const grace = 10 * time.Second

// Instances enter and leave; another container queries them; there are metrics.
func TestInstancesEnterAndLeave(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		a := s.app("web")
		b := s.balancer()
		b.serves("web", a)
		isProcessOne(t, b)
		c, other := s.app("web"), s.app("api")
		b.serves("web", a, c)
		b.serves("api", other)
		if code, body := rig.Get("http://" + b.listener() + "/api/"); code != http.StatusOK || body != "api "+other.addr+"\n" {
			t.Errorf("/api/: %d %s", code, body)
		}

		ip, err := b.IP(s.networks[0])
		if err != nil {
			t.Fatal(err)
		}
		answer, err := rig.Docker(t.Context(), "run", "--rm", "--network", s.networks[0], image.Tag, "get", "--http-addr", ip+":21000", "default/api")
		if want := `{"default":{"api":{"instances":["` + other.addr + `"]}}}`; err != nil || answer != want {
			t.Errorf("another container got %s, %v; want %s", answer, err, want)
		}
		for line, want := range map[string]string{
			`haproxyzk_zookeeper_connected{proxy="default"}`:              "1",
			`haproxyzk_slots{group="web",proxy="default",state="used"}`:   "2",
			`haproxyzk_workers{proxy="default",state="running"}`:          fmt.Sprint(image.Workers()),
			`haproxyzk_instances_registered{group="api",proxy="default"}`: "1",
		} {
			if got, err := b.metric(line); err != nil || got != want {
				t.Errorf("%s is %q, want %s: %v", line, got, want, err)
			}
		}

		s.retire(a)
		b.serves("web", c)
		s.retire(c)
		b.serves("web")
		if code, body := rig.Get("http://" + b.listener() + "/web/"); code != http.StatusServiceUnavailable {
			t.Errorf("without an instance: %d %s", code, body)
		}
	})
}

// isProcessOne asserts that haproxy-zk is process 1, with the daemon as its child and
// HAProxy as the daemon's.
func isProcessOne(t *testing.T, b *balancer) {
	t.Helper()
	now := b.running()
	processes, err := b.processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		switch {
		case p.pid == now.first:
			if p.args != program {
				t.Errorf("process 1 is %q", p.args)
			}
		case p.pid != now.daemon && p.ppid != now.daemon:
			t.Errorf("process %d (%s) is not below the daemon (%d)", p.pid, p.args, now.daemon)
		}
	}
	if len(now.workers) != b.s.image.Workers() || len(processes) != 2+len(now.workers) {
		t.Errorf("%d workers, want %d: %+v", len(now.workers), b.s.image.Workers(), processes)
	}
}

// Orphans become children of process 1, which reaps them.
func TestOrphansAreReaped(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		file := filepath.Join(t.TempDir(), "orphan.cfg")
		text := "global\n daemon\ndefaults\n mode http\n timeout client 1s\n timeout connect 1s\n timeout server 1s\nlisten orphan\n bind 127.0.0.1:9999\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		b := s.balancer("--volume", file+":/orphan.cfg:ro")
		first, err := b.PID()
		if err != nil {
			t.Fatal(err)
		}
		orphans := func() (pids []int) {
			processes, err := b.processes()
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range processes {
				if strings.HasPrefix(p.state, "Z") {
					t.Logf("a zombie for now: %+v", p)
					pids = append(pids, p.pid)
				}
				if strings.Contains(p.args, "/orphan.cfg") && p.ppid == first {
					pids = append(pids, p.pid)
				}
			}
			return pids
		}
		const several = 5
		for range several {
			if _, err := rig.Docker(t.Context(), "exec", b.ID, "haproxy", "-D", "-f", "/orphan.cfg"); err != nil {
				t.Fatal(err)
			}
			for _, pid := range orphans() {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "the orphan is reaped", func() error {
				if left := orphans(); len(left) > 0 {
					return fmt.Errorf("there are %v", left)
				}
				return nil
			})
		}
		// A live orphan does not delay the end.
		if _, err := rig.Docker(t.Context(), "exec", b.ID, "haproxy", "-D", "-f", "/orphan.cfg"); err != nil {
			t.Fatal(err)
		}
		if left := orphans(); len(left) == 0 {
			t.Error("the orphan is no child of process 1")
		}
		if code, took, err := b.stop(); code != "0" || took > grace-time.Second || err != nil {
			t.Errorf("exit code %s after %s, %v", code, took, err)
		}
	})
}

// docker stop, with Docker's default timeout: running requests finish.
func TestStopFinishesRunningRequests(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		a := s.app("web")
		b := s.balancer()
		b.serves("web", a)
		listener := b.listener()
		type answer struct {
			code int
			body string
		}
		answers := make(chan answer, 1)
		go func() {
			code, body := rig.Get("http://" + listener + "/web/slow?ms=3000")
			answers <- answer{code, body}
		}()
		eventually(t, "the request runs", func() error { return b.busy("web") })
		code, took, err := b.stop()
		if code != "0" || took > grace-time.Second || err != nil {
			t.Errorf("exit code %s after %s, %v", code, took, err)
		}
		if got := <-answers; got.code != http.StatusOK || got.body != "web "+a.addr+"\n" {
			t.Errorf("the request that ran: %d %s", got.code, got.body)
		}
	})
}

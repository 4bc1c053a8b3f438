package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const sigterm = syscall.SIGTERM

const (
	front = "web-ngboss"     // the default backend
	base  = "web-basecentre" // behind ACLs
)

// through returns targets that reach both groups.
func through() []rig.Target {
	return []rig.Target{{Path: "/", App: front}, {Path: "/basecentre/x", App: base}, {Path: "/testcentre/y", App: base}}
}

func TestSeedConfigurationServes(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b, load := s.both()
		c := s.app(base)
		s.serves(base, b, c)
		s.eventually("both instances are used", func() error {
			if b.Served("/basecentre/x") == 0 || c.Served("/basecentre/x") == 0 || a.Served("/") == 0 {
				return fmt.Errorf("%d %d %d requests", a.Served("/"), b.Served("/basecentre/x"), c.Served("/basecentre/x"))
			}
			return nil
		})
		if err := b.Unregister(); err != nil {
			t.Fatal(err)
		}
		s.serves(base, c)
		s.lost(load)

		want := fmt.Sprintf(`{"ngboss":{"web-ngboss":{"instances":["%s"]},"web-basecentre":{"instances":["%s"]}}}`, a.Addr(), c.Addr())
		for _, path := range []string{"/", "/ngboss"} {
			if code, body := s.get(path); code != http.StatusOK || strings.TrimSpace(body) != want {
				t.Errorf("%s: %d %s, want %s", path, code, body, want)
			}
		}
		_, metrics := s.get("/metrics")
		for _, line := range []string{
			`haproxyzk_build_info{`,
			`haproxyzk_zookeeper_connected{proxy="ngboss"} 1`,
			`haproxyzk_zookeeper_last_contact_timestamp_seconds{proxy="ngboss"} 1.`,
			`haproxyzk_instances_registered{group="web-basecentre",proxy="ngboss"} 1`,
			`haproxyzk_slots{group="web-basecentre",proxy="ngboss",state="used"} 1`,
			`haproxyzk_slots{group="web-basecentre",proxy="ngboss",state="free"} 19`,
			`haproxyzk_apply_duration_seconds_count{proxy="ngboss"} `,
			`haproxyzk_commands_total{proxy="ngboss",result="ok"} `,
			`haproxyzk_reloads_total{cause="start",proxy="ngboss",result="ok"} 1`,
			fmt.Sprintf(`haproxyzk_workers{proxy="ngboss",state="running"} %d`, workers(h)),
		} {
			if !strings.Contains(metrics, line) {
				t.Errorf("metrics lack %q:\n%s", line, metrics)
			}
		}
		s.stopped()
	})
}

// workers returns how many processes the socket files result in; the seed has two
// files.
func workers(h rig.HAProxy) int {
	switch {
	case !h.Nbproc:
		return 1
	case h.Workers > 0:
		return h.Workers
	}
	return 2
}

func TestRunningRequestsFinishOnStop(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		answer := make(chan error, 1)
		go func() {
			response, err := http.Get("http://" + s.config.Listener() + "/slow?ms=1500")
			if err == nil {
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					err = fmt.Errorf("status %d", response.StatusCode)
				}
			}
			answer <- err
		}()
		s.eventually("the request runs", func() error {
			if a.Served("/slow") == 0 {
				return fmt.Errorf("not yet")
			}
			return nil
		})
		s.stopped()
		if err := <-answer; err != nil {
			t.Errorf("a running request was cut: %v", err)
		}
	})
}

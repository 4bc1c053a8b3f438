package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// ownZooKeeper starts a ZooKeeper that the test may stop and kill.
func ownZooKeeper(t *testing.T, options rig.ZooKeeperOptions) *rig.ZooKeeper {
	t.Helper()
	options.Dir = t.TempDir()
	z, err := rig.StartZooKeeper(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("zookeeper's log ends:\n%s", z.LogTail())
		}
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	})
	return z
}

func TestStartWithoutZooKeeper(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		z := ownZooKeeper(t, rig.ZooKeeperOptions{})
		if err := z.Stop(); err != nil {
			t.Fatal(err)
		}
		s := newStage(t, h, func(c *rig.SeedConfig) { c.ZKAddr = z.Addr() })
		s.start()
		s.eventually("it says why it is not ready", func() error {
			code, body := s.get("/readyz")
			if code != http.StatusServiceUnavailable || !strings.Contains(body, "cannot connect to "+z.Addr()) || !strings.Contains(body, `"waiting":["web-ngboss","web-basecentre"]`) {
				return fmt.Errorf("%d %s", code, body)
			}
			return nil
		})
		begun := time.Now()
		s.stopped()
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("SIGTERM took %v", took)
		}

		s.start()
		s.eventually("it runs", func() error {
			if code, body := s.get("/healthz"); code != http.StatusOK {
				return fmt.Errorf("%d %s", code, body)
			}
			return nil
		})
		if err := z.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.connect()
		a := s.app(front)
		s.serves(front, a)
		s.ready()
	})
}

// With discovery the list of groups is what is waited for, not a group.
func TestDiscoveryWithoutZooKeeperIsNotReady(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		z := ownZooKeeper(t, rig.ZooKeeperOptions{})
		if err := z.Stop(); err != nil {
			t.Fatal(err)
		}
		for _, addr := range []string{z.Addr(), "nowhere.invalid:2181"} {
			s := newStage(t, h, func(c *rig.SeedConfig) { discovering(c); c.Groups = c.Groups[1:]; c.ZKAddr = addr })
			file, err := s.config.Write(s.home)
			if err != nil {
				t.Fatal(err)
			}
			s.run("CONFIG="+file, "START_WAIT=1s")
			s.eventually("HAProxy runs, and it is not ready", func() error {
				code, body := s.get("/readyz")
				if code != http.StatusServiceUnavailable || !strings.Contains(body, `"waiting":["*"]`) || !strings.Contains(body, `"generations":[`) {
					return fmt.Errorf("%d %s", code, body)
				}
				return nil
			})
			if addr == z.Addr() {
				if err := z.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.ready()
				if err := z.Stop(); err != nil {
					t.Fatal(err)
				}
				s.ready() // If ZooKeeper becomes unavailable later, the load balancer stays ready
			}
			s.stopped()
		}
	})
}

func TestZooKeeperIsKilledAndRestarted(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		z := ownZooKeeper(t, rig.ZooKeeperOptions{})
		s := begin(t, h, func(c *rig.SeedConfig) { c.ZKAddr = z.Addr() })
		a, b, load := s.both()
		if err := z.Kill(); err != nil {
			t.Fatal(err)
		}
		s.away()
		s.serves(front, a)
		if err := z.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := s.app(front)
		deadline := time.Now().Add(promptly)
		s.servesBy(deadline, front, a, c)
		s.servesBy(deadline, base, b)
		s.lost(load)
	})
}

// away waits until the daemon reports that ZooKeeper is unavailable, and stays ready.
func (s *stage) away() {
	s.t.Helper()
	s.eventually("it knows that ZooKeeper is away, and stays ready", func() error {
		response, err := http.Get("http://" + s.http + "/ngboss")
		if err != nil {
			return err
		}
		response.Body.Close()
		code, body := s.get("/readyz")
		if response.Header.Get("Haproxy-Zk-Stale") != "1" || code != http.StatusOK {
			return fmt.Errorf("%v, readyz %d %s", response.Header, code, body)
		}
		return nil
	})
}

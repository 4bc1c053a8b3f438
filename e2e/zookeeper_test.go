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
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
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

func TestZooKeeperIsKilledAndComesBack(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
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

// away waits until the daemon knows that ZooKeeper is, and stays ready.
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

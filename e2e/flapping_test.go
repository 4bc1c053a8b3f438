package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func TestFlappingInstanceIsDamped(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b, c := s.app(front), s.app(front), s.app(base)
		s.serves(front, a, b)
		s.serves(base, c)
		load := s.load(through()...)
		leave := func() {
			if err := a.Unregister(); err != nil {
				t.Fatal(err)
			}
			s.promptly(front, b)
		}
		for range 2 {
			leave()
			s.again(front, a)
			s.promptly(front, a, b)
		}
		leave()
		began := time.Now()
		s.again(front, a)
		s.eventually("it is damped", func() error {
			return s.counts(1, "haproxyzk_instances_damped", `group="web-ngboss"`)
		})
		if err := s.counts(2, "haproxyzk_instances_registered", `group="web-ngboss"`); err != nil {
			t.Error(err)
		}
		if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(body, `"damped":{"web-ngboss":["`+a.Addr()+`"]}`) {
			t.Errorf("readyz: %d %s", code, body)
		}
		s.serves(front, b)
		// Another change does not admit it.
		d := s.app(front)
		s.promptly(front, b, d)
		s.serves(front, a, b, d)
		if took := time.Since(began); took < 5*time.Second || took > 5*time.Second+soon {
			t.Errorf("its return was delayed by %s", took)
		}
		s.lost(load)
		if said := strings.Count(s.daemon.Output(), "instance is flapping"); said != 1 {
			t.Errorf("it says so %d times", said)
		}
	})
}

// A restarting process deletes its node and creates it again. The only instance of the
// only group loses no request, just as beside other groups.
func TestOnlyInstanceReregisteringLosesNoRequest(t *testing.T) {
	inTurn(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) { c.Groups = c.Groups[:1] })
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		for range 2 {
			if err := a.Unregister(); err != nil {
				t.Fatal(err)
			}
			s.eventually("ZooKeeper has no instance", func() error {
				return s.counts(0, "haproxyzk_instances_registered", `group="web-ngboss"`)
			})
			s.again(front, a)
			s.promptly(front, a)
		}
		s.lost(load)
		// An instance that stops is out of service soon.
		if err := a.Unregister(); err != nil {
			t.Fatal(err)
		}
		s.promptly(front)
		s.stopped()
	})
}

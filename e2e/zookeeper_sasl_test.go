package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// A ZooKeeper that requires SASL with DIGEST-MD5: the daemon follows it, and an instance is
// registered in it, also after it was restarted.
func TestZooKeeperThatRequiresSASL(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		z := ownZooKeeper(t, rig.ZooKeeperOptions{SASL: map[string]string{reader: canary}})
		s := newStage(t, h, func(c *rig.SeedConfig) { c.ZKAddr = z.Addr() })
		s.config.Extra = map[string]any{"zk.sasl_file": s.secretFile("sasl", reader+":"+canary+"\n")}
		s.start()
		s.ready()
		a := s.unregistered(front)
		registering := s.registering(front, a.Addr(), "--drain", "0s")
		w := startWrapper(t, wrapping{flags: registering, env: []string{"ZK_SASL=" + reader + ":" + canary}})
		s.serves(front, a)
		if err := z.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := z.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.eventually("it is connected again", func() error {
			if s.metric("haproxyzk_zookeeper_connected") != 1 {
				return fmt.Errorf("it is not")
			}
			return nil
		})
		w.send(sigterm)
		w.ends(0)
		s.serves(front)

		wrong := startWrapper(t, wrapping{flags: registering, env: []string{"ZK_SASL=" + reader + ":wrong"}})
		wrong.says("the server rejects zk.sasl: wrong user or password")
		none := startWrapper(t, wrapping{flags: registering})
		none.says("the server requires SASL: set zk.sasl")
		for _, output := range []string{s.daemon.Output(), w.Output(), wrong.Output()} {
			if strings.Contains(output, canary) {
				t.Errorf("the password is in the output:\n%s", output)
			}
		}
		s.stopped()
	})
}

func TestSASLWithAServerThatHasNone(t *testing.T) {
	s := registrations(t, shared.zookeeper)
	w := startWrapper(t, wrapping{flags: s.registering(front, "127.0.0.1:1", "--check", "none"), env: []string{"ZK_SASL=" + reader + ":" + canary}})
	w.says("the server has no SASL for clients: give it a JAAS section Server, or remove zk.sasl")
	w.send(sigterm)
	w.ends(0)
}

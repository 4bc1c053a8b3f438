package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	many = 1000

	opExists   = 3
	opChildren = 12
)

// TestReadsOfAThousandGroups counts the requests to ZooKeeper after the loss of the
// connection, and of the session. The daemon is built without the race detector, which
// supports fewer goroutines.
func TestReadsOfAThousandGroups(t *testing.T) {
	binary, err := rig.Build(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		// The session must outlive three reconnects on a busy machine.
		s, w := wired(t, h, "8s")
		s.binary = binary
		s.createManyGroups()
		s.start()
		s.ready()
		a, last := s.app("g0"), s.app("g999")
		s.serves("g0", a)
		s.serves("g999", last)
		load := s.load(rig.Target{Path: "/", App: "g0"}, rig.Target{Path: "/g999/x", App: "g999"})
		asked := func() int { return w.Requests(opChildren) }
		asked()
		examined := 0 // each new instance is read once, for its owner
		owners := func(want int) {
			t.Helper()
			s.eventually("new instances are examined", func() error {
				if examined += w.Requests(opExists); examined < want {
					return fmt.Errorf("%d of %d", examined, want)
				}
				return nil
			})
		}
		owners(2)

		// The connection, three times: the session and its watches survive. An
		// unchanged list is only read again by the safety read, after half a minute at
		// the earliest.
		for range 3 {
			w.Refuse()
			s.unreachable("connection refused")
			s.connectedBy(forward(t, w))
		}
		b := s.app("g0")
		s.serves("g0", a, b)
		owners(3)
		if n := asked(); n != 1 {
			t.Errorf("%d reads after reconnects that lost nothing and one change", n)
		}

		// The session.
		w.Silence()
		s.expired()
		c, d := s.app("g0"), s.app("g500")
		asked()
		deadline := forward(t, w)
		s.servesBy(deadline, "g0", a, b, c)
		s.servesBy(deadline, "g500", d)
		sum := 0
		s.eventually("every group is read", func() error {
			if sum += asked(); sum < many {
				return fmt.Errorf("%d reads", sum)
			}
			return nil
		})
		e := s.app("g500")
		s.serves("g500", d, e)
		if sum += asked(); sum != many+1 {
			t.Errorf("%d reads after the session of %d groups was lost, and one change", sum, many)
		}
		if owners(6); examined != 6 {
			t.Errorf("%d instances were examined, of which 6 are new", examined)
		}
		s.lost(load)
	})
}

// createManyGroups gives the stage a thousand groups, whose paths exist.
func (s *stage) createManyGroups() {
	s.t.Helper()
	parent := "/" + filepath.Base(s.home)
	s.config.ZKPath, s.config.Groups = parent+"/${group}", nil
	if err := s.registry.Ensure(parent); err != nil {
		s.t.Fatal(err)
	}
	var nodes []any
	for i := range many {
		name := fmt.Sprintf("g%d", i)
		s.config.Groups = append(s.config.Groups, rig.Group{
			Name: name, ACLs: []string{"path_beg /" + name + "/"}, MaxServer: 5, DefaultBackend: i == 0,
		})
		nodes = append(nodes, &zk.CreateRequest{Path: s.node(name), Acl: zk.WorldACL(zk.PermAll)})
	}
	if _, err := s.registry.Conn().Multi(nodes...); err != nil {
		s.t.Fatal(err)
	}
}

// connectedBy waits until the daemon reports a connection.
func (s *stage) connectedBy(deadline time.Time) {
	s.t.Helper()
	if err := rig.Eventually(s.t.Context(), time.Until(deadline), func() error {
		if _, body := s.get("/readyz"); !strings.Contains(body, `"zookeeper":"connected"`) {
			return fmt.Errorf("%s", body)
		}
		return nil
	}); err != nil {
		s.t.Errorf("%v after a server was there: %v", promptly, err)
	}
}

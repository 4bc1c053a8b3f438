package e2e

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// registrationsMeasured is how many registrations the times below are of.
const registrationsMeasured = 50

// How long after its node was created an instance gets its first request, through
// HAProxy. ZooKeeper's times have a resolution of a millisecond.
func TestTimeFromRegistrationToFirstRequest(t *testing.T) {
	someInTurn(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		b := s.app(front)
		s.serves(front, b)
		load, err := rig.NewLoad(rig.LoadOptions{Addr: s.config.Listener(), Targets: []rig.Target{{Path: "/", App: front}}, KeepAlive: 4, Rate: 200})
		if err != nil {
			t.Fatal(err)
		}
		load.Start(t.Context())
		t.Cleanup(func() { load.Stop() })
		var fromNode, fromStart []time.Duration
		for range registrationsMeasured {
			a := s.unregistered(front)
			begun := time.Now()
			w := startWrapper(t, wrapping{flags: s.registering(front, a.Addr(), "--drain", "200ms")})
			s.patiently("its first request", func() error {
				if first, _ := a.Traffic(); first.IsZero() {
					return errors.New("it has had none")
				}
				return nil
			})
			first, _ := a.Traffic()
			exists, stat, err := s.registry.Conn().Exists(s.node(front) + "/" + a.Addr())
			if err != nil || !exists {
				t.Fatalf("its node: %v, %v", exists, err)
			}
			fromNode = append(fromNode, first.Sub(time.UnixMilli(stat.Ctime)))
			fromStart = append(fromStart, first.Sub(begun))
			w.send(sigterm)
			w.ends(0)
			s.serves(front, b)
		}
		s.lost(load)
		slices.Sort(fromNode)
		slices.Sort(fromStart)
		quantile := func(all []time.Duration, percent int) time.Duration {
			return all[(len(all)*percent+99)/100-1].Round(100 * time.Microsecond)
		}
		t.Logf("node created → first request: p50 %v, p99 %v; haproxy-zk register started → first request: p50 %v, p99 %v; n=%d",
			quantile(fromNode, 50), quantile(fromNode, 99), quantile(fromStart, 50), quantile(fromStart, 99), len(fromNode))
		if p50 := quantile(fromNode, 50); p50 > time.Second {
			t.Errorf("half of the instances waited %v and more for a request", p50)
		}
		s.stopped()
	})
}

package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func TestRollingReplacementLosesNoRequest(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		b := s.app(base)
		var apps []*rig.App
		for range 10 {
			apps = append(apps, s.app(front))
		}
		s.serves(front, apps...)
		s.serves(base, b)
		load := s.load(through()...)
		for i := range apps {
			next := s.app(front)
			s.serves(front, append(slices.Clone(apps), next)...)
			// A retired instance ends only once requests have stopped coming.
			if err := apps[i].Retire(t.Context(), 100*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			apps[i] = next
		}
		s.serves(front, apps...)
		s.eventually("all new instances are used", func() error { return used(load, apps) })
		s.lost(load)
		s.stopped()
	})
}

func TestOneTransactionReplacesAllInstances(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		b := s.app(base)
		s.serves(base, b)
		blue, green := []*rig.App{}, []*rig.App{}
		for range 5 {
			blue, green = append(blue, s.app(front)), append(green, s.unregistered(front))
		}
		s.serves(front, blue...)
		load := s.load(through()...)
		for i := range blue {
			s.replace(front, blue[i], green[i])
		}
		s.serves(front, green...)
		s.eventually("all green instances are used", func() error { return used(load, green) })
		s.lost(load)
	})
}

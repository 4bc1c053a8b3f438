package e2e

import (
	"slices"
	"syscall"
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
			s.retire(front, apps[i])
			apps[i] = next
		}
		s.serves(front, apps...)
		s.eventually("all new instances are used", func() error { return used(load, apps) })
		s.lost(load)
		s.stopped()
	})
}

// An instance that leaves while HAProxy itself is delayed, as on a busy machine, must
// not conclude that it gets no requests any more.
func TestInstanceRetiresWhileHAProxyIsStopped(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		for range 5 {
			b := s.app(front)
			s.serves(front, a, b)
			s.eventually("it is used", func() error { return used(load, []*rig.App{b}) })
			workers := s.pids()
			each := func(sig syscall.Signal) {
				for _, pid := range workers {
					if err := syscall.Kill(pid, sig); err != nil {
						t.Error(err)
					}
				}
			}
			each(syscall.SIGSTOP)
			goesOn := time.AfterFunc(400*time.Millisecond, func() { each(syscall.SIGCONT) })
			s.retire(front, b)
			if goesOn.Stop() {
				t.Error("it retired while HAProxy stood still")
				each(syscall.SIGCONT)
			}
			s.serves(front, a)
		}
		s.lost(load)
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

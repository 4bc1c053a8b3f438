package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// age returns the age of the query API's answer; 0 if it has none.
func (s *stage) age() (time.Duration, error) {
	response, err := http.Get("http://" + s.http + "/ngboss")
	if err != nil {
		return 0, err
	}
	response.Body.Close()
	seconds, err := strconv.Atoi(response.Header.Get("Age"))
	return time.Duration(seconds) * time.Second, err
}

// A clock that is an hour ahead or behind makes nothing old, due or late: timers use
// the monotonic clock.
func TestClockIsStepped(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		binary, err := rig.BuildStepped(ctx, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s := newStage(t, h, func(c *rig.SeedConfig) { c.Groups[0].MaxServer = 1 })
		s.binary = binary
		s.connect()
		s.start()
		s.ready()
		apps := []*rig.App{s.app(front)}
		s.serves(front, apps...)
		load := s.load(rig.Target{Path: "/", App: front})
		ahead := time.Duration(0)
		for _, step := range []struct {
			signal syscall.Signal
			by     time.Duration
		}{{rig.StepForward, time.Hour}, {rig.StepBack, -time.Hour}, {rig.StepBack, -time.Hour}} {
			before := s.pids()
			s.signal(step.signal)
			ahead += step.by
			// This metric is a wall clock time.
			s.eventually("the clock is stepped", func() error {
				heard := time.Unix(int64(s.metric("haproxyzk_zookeeper_last_contact_timestamp_seconds")), 0)
				if off := time.Until(heard) - ahead; off.Abs() > time.Minute {
					return fmt.Errorf("heard at %v, %v off", heard, off)
				}
				return nil
			})
			if age, err := s.age(); err != nil || age < 0 || age > time.Minute {
				t.Errorf("after %v the age is %v, %v", step.by, age, err)
			}
			apps = append(apps, s.app(front))
			s.serves(front, apps...) // the second one by a reload
			s.do("unregister", apps[0].Unregister)
			apps = apps[1:]
			s.serves(front, apps...)
			s.signal(syscall.SIGUSR2)
			s.renewed(before)
			s.serves(front, apps...)
		}
		if err := s.counts(1, "haproxyzk_zookeeper_sessions_total"); err != nil {
			t.Error(err)
		}
		if err := s.counts(0, "haproxyzk_reloads_total", `result="error"`); err != nil {
			t.Error(err)
		}
		s.eventually("it is used", func() error { return used(load, apps) })
		s.lost(load)
		s.stopped()
	})
}

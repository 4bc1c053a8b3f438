//go:build image

package image

import (
	"fmt"
	"syscall"
	"testing"
)

// The engine restarts a crashed container, with its files.
func TestRestartAfterCrash(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		a := s.app("web")
		b := s.balancer("--restart", "on-failure")
		b.serves("web", a)
		if err := b.signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "started again", func() error {
			count, err := b.Inspect("{{.RestartCount}} {{.State.Running}}")
			if err == nil && count != "1 true" {
				err = fmt.Errorf("restarts and running: %s", count)
			}
			return err
		})
		b.ready()
		b.serves("web", a)
		s.retire(a)
		b.serves("web")
	})
}

// HEALTHCHECK reflects whether haproxy-zk answers.
func TestHealth(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		b := s.balancer("--health-interval", "500ms", "--health-retries", "1", "--health-timeout", "5s")
		becomes := func(want string) {
			t.Helper()
			eventually(t, "health", func() error {
				got, err := b.Inspect("{{.State.Health.Status}}")
				if err == nil && got != want {
					err = fmt.Errorf("it is %s, want %s", got, want)
				}
				return err
			})
		}
		becomes("healthy")
		daemon := b.running().daemon
		if err := syscall.Kill(daemon, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		becomes("unhealthy")
		if err := syscall.Kill(daemon, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		becomes("healthy")
	})
}

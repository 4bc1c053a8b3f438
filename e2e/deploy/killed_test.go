package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// An engine that kills a load balancer while connections of its stop_grace run cuts no
// more than those: the next start, on the directories that are left, serves, has no process
// of before once those ended, and stops in order.
func TestStartAfterAnEngineKilledAStop(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		kill func(b *balancer)
		cuts bool // the request that runs
	}{
		{"every process, as the end of a container", func(b *balancer) {
			left, err := b.daemon.Leftovers()
			must(b.t, err)
			b.daemon.Kill()
			for _, p := range left {
				if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
					b.t.Error(err)
				}
			}
		}, true},
		{"haproxy-zk alone", func(b *balancer) { b.daemon.Kill() }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServices(t)
			app := s.add(rig.StartApp(application))
			b := newBalancer(t, nil)
			settings := []string{s.setting(), "DEFAULT_BACKEND=" + application, "STOP_GRACE=60s"}
			b.start(settings...)
			answer := make(chan error, 1)
			go func() { answer <- slow(t.Context(), b) }()
			eventually(t, "the request runs", func() error {
				if app.Served("/slow") == 0 {
					return errors.New("not yet")
				}
				return nil
			})
			b.signal(syscall.SIGTERM)
			eventually(t, "new connections are refused", func() error {
				if code, _ := rig.Get(fmt.Sprintf("http://127.0.0.1:%d/", b.listener)); code != 0 {
					return fmt.Errorf("status %d", code)
				}
				return nil
			})
			select {
			case err := <-answer:
				t.Fatal("the request ended before the kill:", err)
			default:
			}
			before, err := b.daemon.Leftovers()
			must(t, err)
			test.kill(b)

			b.start(settings...)
			eventually(t, "it serves", func() error {
				if code, body := rig.Get(fmt.Sprintf("http://127.0.0.1:%d/", b.listener)); code != http.StatusOK {
					return fmt.Errorf("status %d %s", code, body)
				}
				return nil
			})
			if err := <-answer; (err != nil) != test.cuts {
				t.Errorf("the request ended with %v", err)
			}
			eventually(t, "no process of before is left", func() error {
				now, err := b.daemon.Leftovers()
				for _, p := range now {
					if slices.ContainsFunc(before, func(old rig.Process) bool { return old.PID == p.PID }) {
						return fmt.Errorf("process %d", p.PID)
					}
				}
				return err
			})
			b.signal(syscall.SIGTERM)
			b.exits()
		})
	}
}

// slow requests an answer that takes longer than the next start.
func slow(ctx context.Context, b *balancer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/slow?ms=15000", b.listener), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

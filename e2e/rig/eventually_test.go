package rig_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func TestEventually(t *testing.T) {
	t.Parallel()
	errNotYet := errors.New("not yet")

	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		calls := 0
		err := rig.Eventually(t.Context(), time.Second, func() error {
			if calls++; calls < 4 {
				return errNotYet
			}
			return nil
		})
		if err != nil || calls != 4 || time.Since(began) != 15*time.Millisecond {
			t.Errorf("err %v after %d calls and %s, want nil after 4 and 15ms", err, calls, time.Since(began))
		}

		began = time.Now()
		calls = 0
		err = rig.Eventually(t.Context(), time.Second, func() error { calls++; return errNotYet })
		if !errors.Is(err, errNotYet) || time.Since(began) != time.Second {
			t.Errorf("err %v after %s, want the check's own after 1s", err, time.Since(began))
		}
		if calls < 50 || calls > 120 {
			t.Errorf("%d calls in a second, want fewer the longer it takes", calls)
		}

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := rig.Eventually(ended, time.Second, func() error { return nil }); err != nil {
			t.Errorf("a check that holds must win over a context that has ended: %v", err)
		}
		if err := rig.Eventually(ended, time.Hour, func() error { return errNotYet }); !errors.Is(err, errNotYet) {
			t.Errorf("err %v, want the check's own", err)
		}
	})
}

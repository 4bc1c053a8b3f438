package rig_test

import (
	"context"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func TestEnsemble(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	e, err := rig.StartEnsemble(ctx, t.TempDir(), 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := rig.ConnectRegistry(ctx, e.Addr(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if err := r.Register("/a", "127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		old, err := e.Leader()
		if err != nil {
			t.Fatal(err)
		}
		if err := old.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := rig.Eventually(ctx, 20*time.Second, func() error {
			_, err := e.Leader()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Children("/a"); err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
		if err := old.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

package rig_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// A server is killed, started, frozen and stopped while applications are registered;
// one of them crashes.
func TestZooKeeper(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	connect := func(timeout time.Duration) *rig.Registry {
		r, err := rig.ConnectRegistry(ctx, server.Addr(), timeout)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return r
	}
	const node = "/wade-web/web/instances"
	stays, crashes := connect(30*time.Second), connect(2*time.Second)

	if err := crashes.Register(node, "127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	app := startApp(t, "web")
	if err := app.Register(stays, node); err != nil {
		t.Fatal(err)
	}
	if err := app.Register(stays, node); !errors.Is(err, zk.ErrNodeExists) {
		t.Errorf("registered twice: %v", err)
	}
	if got, err := stays.Children(node); len(got) != 2 || err != nil {
		t.Errorf("children %v, %v, want two", got, err)
	}

	// The registrations of a crashed application end with its session.
	crashes.Crash()
	only := func(want ...string) error {
		return rig.Eventually(ctx, 20*time.Second, func() error {
			got, err := stays.Children(node)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, got); diff != "" {
				return fmt.Errorf("children (-want +got):\n%s", diff)
			}
			return nil
		})
	}
	if err := only(app.Addr()); err != nil {
		t.Error(err)
	}

	// Data and sessions survive the server.
	for _, end := range []func() error{server.Kill, server.Stop} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if _, err := server.FourLetter("srvr"); err == nil {
			t.Error("a dead server answers")
		}
		if err := server.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := only(app.Addr()); err != nil {
			t.Error(err)
		}
	}
	if err := server.Start(ctx); err == nil {
		t.Error("started twice: no error")
	}

	// A call survives a restart.
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	registered := make(chan error, 1)
	go func() { registered <- stays.Register(node, "127.0.0.1:2") }()
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-registered; err != nil {
		t.Error(err)
	}
	if err := stays.Unregister(node, "127.0.0.1:2"); err != nil {
		t.Error(err)
	}

	// A frozen server accepts and does not answer.
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	if reply, err := server.FourLetter("srvr"); err == nil {
		t.Errorf("a frozen server answers %q", reply)
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}

	if err := app.Retire(ctx, 20*time.Millisecond, func() error { return nil }); err != nil {
		t.Error(err)
	}
	if got, err := stays.Children(node); len(got) != 0 || err != nil {
		t.Errorf("children %v, %v, want none", got, err)
	}
	if err := stays.Delete("/wade-web"); err != nil {
		t.Error(err)
	}
	if _, err := stays.Children("/wade-web"); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("deleted and still there: %v", err)
	}
	if err := stays.Delete("/wade-web"); err != nil {
		t.Errorf("delete what is gone: %v", err)
	}
}

package deploy

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// within bounds every wait for something that normally takes a second or two.
const within = 40 * time.Second

// shared are the parts that all tests share.
var shared struct {
	binary  string
	haproxy rig.HAProxy
}

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	haproxies, err := rig.HAProxies()
	if err == nil {
		shared.haproxy = haproxies[len(haproxies)-1] // the newest
		shared.binary, err = rig.Build(ctx, true)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "set up:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	if err := rig.Eventually(t.Context(), within, check); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func port(t *testing.T) int {
	t.Helper()
	n, err := rig.FreePort()
	must(t, err)
	return n
}

// home returns a directory of a test. t.TempDir would be too long for a unix socket's path.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hz-")
	must(t, err)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

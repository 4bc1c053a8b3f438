//go:build image

package image

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// unique is a name that nobody else has.
func unique(what string) string {
	return "haproxy-zk-test-" + what + "-" + strings.ToLower(rand.Text()[:10])
}

// createNetwork creates a private network and returns its name.
func createNetwork(ctx context.Context, flags ...string) (string, error) {
	name := unique("net")
	_, err := rig.Docker(ctx, append([]string{"network", "create", name}, flags...)...)
	return name, err
}

func removeNetwork(name string) error {
	_, err := rig.Docker(context.Background(), "network", "rm", name)
	return err
}

func newNetwork(t *testing.T, flags ...string) string {
	t.Helper()
	name, err := createNetwork(t.Context(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeNetwork(name); err != nil {
			t.Error(err)
		}
	})
	return name
}

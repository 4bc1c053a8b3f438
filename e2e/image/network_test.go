//go:build image

package image

import (
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func newNetwork(t *testing.T, flags ...string) string {
	t.Helper()
	name, err := rig.CreateNetwork(t.Context(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rig.RemoveNetwork(name); err != nil {
			t.Error(err)
		}
	})
	return name
}

//go:build image

package image

import (
	"net/http"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// The images of other architectures, as far as emulation allows: it hides the arguments
// of processes, and its timings mean nothing.
func TestOtherArchitectures(t *testing.T) {
	for _, image := range shared.images {
		if !image.Emulated {
			continue
		}
		t.Run(image.Arch, func(t *testing.T) {
			s := newStage(t, image)
			a := s.app("web")
			b := s.balancer("--read-only", "--tmpfs", "/run/haproxy-zk", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
			b.serves("web", a)
			c := s.app("web")
			b.serves("web", a, c)
			s.retire(a)
			b.serves("web", c)
			if code, body := rig.Get("http://" + b.listener() + "/web/"); code != http.StatusOK || body != "web "+c.addr+"\n" {
				t.Errorf("/web/: %d %s", code, body)
			}
			if got, err := b.metric(`haproxyzk_zookeeper_connected{proxy="default"}`); err != nil || got != "1" {
				t.Errorf("zookeeper_connected is %q: %v", got, err)
			}
			if _, err := rig.Docker(t.Context(), "exec", b.ID, "haproxy-zk", "healthcheck"); err != nil {
				t.Error(err)
			}
			if code, took, err := b.stop(); code != "0" || took > grace || err != nil {
				t.Errorf("exit code %s after %s, %v", code, took, err)
			}
		})
	}
}

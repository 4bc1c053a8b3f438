//go:build image

package image

import (
	"net/http"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// A volume keeps the cache: the next container serves it while ZooKeeper is
// unavailable, whatever its user.
func TestStateInAVolume(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		s.networks = []string{newNetwork(t)}
		zookeeper := s.zookeeper(newVolume(t), s.networks[0], "zookeeper")
		a := s.app("web")
		// As in a new container: the directory's mode comes from the image.
		flags := []string{"--read-only", "--tmpfs", "/run/haproxy-zk", "--user", "12345:0", "--volume", newVolume(t) + ":/var/lib/haproxy-zk"}
		first := s.balancer(flags...)
		first.serves("web", a)
		if code, _, err := first.stop(); code != "0" || err != nil {
			t.Fatalf("exit code %s, %v", code, err)
		}
		if err := first.Remove(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := zookeeper.stop(); err != nil {
			t.Fatal(err)
		}
		second := s.balancer(flags...)
		second.serves("web", a)
		if code, body := rig.Get("http://" + second.listener() + "/web/"); code != http.StatusOK || body != "web "+a.addr+"\n" {
			t.Errorf("/web/: %d %s", code, body)
		}
		second.connected("0")
	})
}

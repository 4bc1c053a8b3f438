//go:build image

package image

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// docker kill -s HUP reloads the mounted configuration.
func TestSIGHUPReloadsTheConfiguration(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		folder := t.TempDir()
		write := func(groups string) {
			t.Helper()
			s.writeConfiguration(folder, groups)
		}
		const web, api = `"web": {"acls": ["path_beg -i /web"]}`, `"api": {"acls": ["path_beg -i /api"]}`
		write(web)
		a, other := s.app("web"), s.app("api")
		b := s.configured("--volume", folder+":/etc/haproxy-zk:ro")
		b.serves("web", a)
		load := b.load("web")
		hangup := func() {
			t.Helper()
			if _, err := rig.Docker(t.Context(), "kill", "--signal", "HUP", b.ID); err != nil {
				t.Fatal(err)
			}
		}
		write(web + "," + api)
		hangup()
		b.serves("api", other)

		write(`"web": {"mode": "carrier pigeon"}`)
		hangup()
		eventually(t, "it reports the error", func() error { return b.Says("carrier pigeon") })
		b.serves("web", a)
		b.serves("api", other)
		if code, body := rig.Get("http://" + b.listener() + "/api/"); code != http.StatusOK {
			t.Errorf("/api/: %d %s", code, body)
		}
		s.lost(load)
		isProcessOne(t, b)
	})
}

// sockets returns the elements of socket_files.
func sockets(image Image) string {
	var all []string
	for n := range image.Workers() {
		all = append(all, fmt.Sprintf(`"/run/haproxy-zk/default.%d.sock"`, n+1))
	}
	return strings.Join(all, ",")
}

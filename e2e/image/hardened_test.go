//go:build image

package image

import (
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// It works without privileges, including a reload.
func TestHardened(t *testing.T) {
	tests := []struct {
		name  string
		flags []string
	}{
		{"read-only", []string{"--read-only", "--tmpfs", "/run/haproxy-zk", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"}},
		{"another user", []string{"--user", "12345:54321", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"}},
		{"another user, read-only", []string{"--user", "12345:0", "--read-only", "--tmpfs", "/run/haproxy-zk", "--cap-drop", "ALL"}},
	}
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		a, c := s.app("web"), s.app("web")
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				s := *s
				s.t = t
				b := s.balancer(append(test.flags, "--env", "MAX_SERVER=2")...)
				b.serves("web", a, c)
				load := b.load("web")
				d := s.app("web") // needs a reload
				s.used(load, a, c, d)
				s.retire(d)
				b.serves("web", a, c)
				s.lost(load)
				if code, took, err := b.stop(); code != "0" || took > grace || err != nil {
					t.Errorf("exit code %s after %s, %v", code, took, err)
				}
			})
		}
	})
}

// A port below 1024 needs no privilege on a Docker network.
func TestPortBelow1024(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		a := s.app("web")
		b := s.balancer("--cap-drop", "ALL", "--env", "LISTENER_PORT=80")
		b.serves("web", a)
		ip, err := b.IP(s.networks[0])
		if err != nil {
			t.Fatal(err)
		}
		if code, body := rig.Get("http://" + ip + "/web/"); code != 200 {
			t.Errorf("port 80: %d %s", code, body)
		}
	})
}

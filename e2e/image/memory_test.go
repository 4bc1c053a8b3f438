//go:build image

package image

import (
	"strconv"
	"testing"
)

// The memory limit of a container applies to its process 1 too, which leaves most of it
// to HAProxy; the environment takes precedence.
func TestMemoryLimit(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		for _, tt := range []struct {
			flags []string
			want  float64
		}{
			{[]string{"--memory", "400m"}, 100 << 20},
			{[]string{"--memory", "400m", "--env", "GOMEMLIMIT=50MiB"}, 50 << 20},
		} {
			b := s.balancer(tt.flags...)
			text, err := b.metric("go_gc_gomemlimit_bytes")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := strconv.ParseFloat(text, 64); err != nil || got != tt.want {
				t.Errorf("%q: the limit is %s, not %g", tt.flags, text, tt.want)
			}
			if err := b.Remove(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

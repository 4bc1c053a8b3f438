//go:build image

package image

import "testing"

func TestRollingReplacementLosesNoRequest(t *testing.T) {
	onEveryImage(t, func(t *testing.T, image Image) {
		s := newStage(t, image)
		apps := []*app{s.app("web"), s.app("web"), s.app("web")}
		b := s.balancer("--env", "MAX_SERVER=2") // the third one needs a reload
		b.serves("web", apps...)
		load := b.load("web")
		for i, old := range apps {
			apps[i] = s.app("web")
			s.used(load, apps[i])
			s.retire(old)
		}
		b.serves("web", apps...)
		s.lost(load)
		isProcessOne(t, b)
	})
}

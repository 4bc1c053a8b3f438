package hactl

import (
	"fmt"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// BenchmarkRegrouping compares a changed configuration of 2,000 groups with what runs.
func BenchmarkRegrouping(b *testing.B) {
	s := newStory(b)
	var backends []haproxy.Backend
	for i := range 2000 {
		backends = append(backends, writtenBackend(fmt.Sprintf("group%d", i)))
	}
	s.with(func(o *Options) {
		l := s.layoutOf(backends...)
		o.Frame, o.Backends = l.Frame, l.Backends
	})
	source := s.Stage(s.layoutOf(append(backends, writtenBackend("new"))...))
	for b.Loop() {
		if _, obstacle := s.desired.regrouping(source); obstacle != "" {
			b.Fatal(obstacle)
		}
	}
}

package e2e

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// TestFileToFirstRequest compares how soon an instance serves whose file, or znode, was
// created, in turn.
func TestFileToFirstRequest(t *testing.T) {
	h := shared.haproxies[len(shared.haproxies)-1]
	s := fromFiles(t, h, func(c *rig.SeedConfig) { c.ZKAddr = shared.zookeeper.Addr() })
	s.connect()
	first := s.filed(front)
	s.start()
	s.ready()
	s.serves(front, first)
	measure := func(register, deregister func(*rig.App) error) time.Duration {
		app := s.unregistered(front)
		began := time.Now()
		s.must(register(app))
		for {
			if err := s.answers("/", app); err == nil {
				break
			}
			if time.Since(began) > within {
				t.Fatal("it does not serve")
			}
		}
		took := time.Since(began)
		s.must(deregister(app))
		s.serves(front, first)
		return took
	}
	var files, znodes []time.Duration
	for range 15 {
		files = append(files, measure(
			func(a *rig.App) error { return os.WriteFile(s.instanceFile(front, a), nil, 0o600) },
			func(a *rig.App) error { return os.Remove(s.instanceFile(front, a)) },
		))
		znodes = append(znodes, measure(
			func(a *rig.App) error { return a.Register(s.registry, s.node(front)) },
			func(a *rig.App) error { return s.registry.Unregister(s.node(front), a.Addr()) },
		))
	}
	file, znode := median(files), median(znodes)
	t.Logf("created to first request, medians of %d: file %v, znode %v, ratio %.2f", len(files), file, znode, file.Seconds()/znode.Seconds())
	if file > 3*znode && file > 100*time.Millisecond {
		t.Errorf("a file takes %v, a znode %v", file, znode)
	}
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

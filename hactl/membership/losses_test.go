package membership

import (
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// A source that loses everything is guarded like a group, whatever other sources list.
func TestGuardJudgesEachSource(t *testing.T) {
	type step struct {
		after    time.Duration
		zk, dir  []int
		want     []int
		unknown  bool // the list does not say which source has what
		holdOver string
	}
	for name, steps := range map[string][]step{
		"ZooKeeper is wiped beside a written instance": {
			{zk: []int{1, 2, 3}, dir: []int{9}, want: []int{1, 2, 3, 9}},
			{after: time.Hour, dir: []int{9}, want: []int{1, 2, 3, 9}},
			{after: holdFor, dir: []int{9}, want: []int{9}, holdOver: "hold timeout reached"},
		},
		"without sources nine is enough": {
			{zk: []int{1, 2, 3}, dir: []int{9}, want: []int{1, 2, 3, 9}, unknown: true},
			{after: time.Hour, dir: []int{9}, want: []int{9}, unknown: true},
		},
		"a source loses some": {
			{zk: []int{1, 2, 3}, dir: []int{4, 5, 6}, want: []int{1, 2, 3, 4, 5, 6}},
			{after: time.Hour, zk: []int{1, 2, 3}, dir: []int{5, 6}, want: []int{1, 2, 3, 5, 6}},
		},
		"a source loses its only instance": {
			{zk: []int{1, 2, 3}, dir: []int{4}, want: []int{1, 2, 3, 4}},
			{after: time.Hour, zk: []int{1, 2, 3}, want: []int{1, 2, 3}},
		},
		"instances move from one source to the other": {
			{zk: []int{1, 2, 3}, dir: []int{4}, want: []int{1, 2, 3, 4}},
			{after: time.Hour, dir: []int{1, 2, 3, 4}, want: []int{1, 2, 3, 4}},
			{after: time.Hour, dir: []int{1, 2, 3}, want: []int{1, 2, 3}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, w, at := New("web", 100), &world{}, time.Now()
			for _, s := range steps {
				at = at.Add(s.after)
				list := registry.Group{
					Name: "web", Instances: registry.Sort(append(instances(s.zk...), instances(s.dir...)...)),
					Parts: []registry.Part{{Source: registry.ZooKeeper, Instances: instances(s.zk...)}, {Source: registry.Directory, Instances: instances(s.dir...)}},
				}
				if s.unknown {
					list.Parts = nil
				}
				g.See(list, w.Up, at)
				d := g.Decide(w, false, at)
				w.serves = g.Meant()
				same(t, "meant", s.want, lastOf(g.Meant()))
				same(t, "over", s.holdOver, d.Over)
			}
		})
	}
}

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	blue  = "blue"
	green = "green"
)

// versions are two groups that split one service, and the path of its instances.
func versions(home string) (groups []rig.Group, path string) {
	path = "/" + filepath.Base(home) + "/services/web"
	for group, version := range map[string]string{blue: "1", green: "2"} {
		groups = append(groups, rig.Group{
			Name: group, ZKPath: path, ACLs: []string{"path_beg /" + group}, HTTPChk: "GET /probe.jsp",
			Extra: map[string]any{"format": "curator", "match": map[string]string{"version": version}},
		})
	}
	return groups, path
}

// Two groups split one service by the metadata of its instances. One whose metadata changes
// moves to the other group, or to none, without a reload and without a lost request.
func TestInstanceMovesBetweenTheGroupsOfAService(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		groups, path := versions(s.home)
		s.config.Groups = groups
		s.connect()
		register := func(name, version string) (app *rig.App, node string) {
			app = s.unregistered("web")
			return app, s.writes(path, name, springPayload(app, `"version":"`+version+`"`), 0)
		}
		one, _ := register("one", "1")
		two, _ := register("two", "2")
		var moving []*rig.App
		var nodes []string
		for i := range 3 {
			app, node := register(fmt.Sprint("moving", i), "1")
			moving, nodes = append(moving, app), append(nodes, node)
		}
		s.start()
		s.ready()
		s.serves(blue, append([]*rig.App{one}, moving...)...)
		s.serves(green, two)
		before := s.pids()
		load := s.load(rig.Target{Path: "/blue/x", App: "web"}, rig.Target{Path: "/green/x", App: "web"})
		becomes := func(i int, version string) {
			s.rewrites(nodes[i], springPayload(moving[i], `"version":"`+version+`"`))
		}
		for i, app := range moving {
			left, arrived := append([]*rig.App{one}, moving[i+1:]...), append([]*rig.App{two}, moving[:i]...)
			for _, version := range []string{"2", "1", "2"} { // more would be flapping
				becomes(i, version)
				if version == "2" {
					s.serves(green, append(slices.Clone(arrived), app)...)
					s.serves(blue, left...)
				} else {
					s.serves(blue, append(slices.Clone(left), app)...)
					s.serves(green, arrived...)
				}
			}
		}
		s.eventually("all are used", func() error { return used(load, append([]*rig.App{one, two}, moving...)) })
		becomes(2, "3")
		s.serves(blue, one)
		s.serves(green, two, moving[0], moving[1])
		if now := s.pids(); !slices.Equal(now, before) {
			t.Errorf("HAProxy was reloaded: %v, then %v", before, now)
		}
		s.lost(load)

		// Requests of a group reach its own instances only.
		for _, app := range []*rig.App{two, moving[0], moving[1]} {
			app.Become("moved")
		}
		for range 20 {
			if err := s.answers("/blue/x", one); err != nil {
				t.Fatal(err)
			}
		}
		s.lost(s.brief(rig.Target{Path: "/green/x", App: "moved"}))
		if _, body := s.get("/readyz"); strings.Contains(body, `"found"`) {
			t.Errorf("instances of the other group are reported: %s", body)
		}
	})
}

// brief runs a load until every client has had some answers.
func (s *stage) brief(target rig.Target) *rig.Load {
	s.t.Helper()
	load := s.load(target)
	s.eventually("some answers", func() error {
		if n := load.Result().Requests; n < 100 {
			return fmt.Errorf("%d answers", n)
		}
		return nil
	})
	return load
}

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func (s *stage) stateFile() string { return filepath.Join(s.home, "state", "ngboss.json") }

// keeps waits until the cache has exactly these instances, which may take a second.
func (s *stage) keeps(apps ...*rig.App) {
	s.t.Helper()
	s.eventually("the file has them", func() error {
		text, err := os.ReadFile(s.stateFile())
		if err != nil {
			return err
		}
		var document struct {
			Groups []struct{ Instances []string }
		}
		if err := json.Unmarshal(text, &document); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		got := []string{}
		for _, g := range document.Groups {
			got = append(got, g.Instances...)
		}
		slices.Sort(got)
		if diff := cmp.Diff(addrs(apps), got); diff != "" {
			return fmt.Errorf("kept: -want +got\n%s", diff)
		}
		return nil
	})
}

// freshness returns the header that marks stale answers.
func (s *stage) freshness() string {
	s.t.Helper()
	response, err := http.Get("http://" + s.http + "/ngboss")
	if err != nil {
		s.t.Fatal(err)
	}
	response.Body.Close()
	return response.Header.Get("Haproxy-Zk-Stale")
}

// TestStartFromCache starts without ZooKeeper, after a stop and after a power loss,
// with configured and discovered groups.
func TestStartFromCache(t *testing.T) {
	someInTurn(t, func(t *testing.T, h rig.HAProxy) {
		z := ownZooKeeper(t, rig.ZooKeeperOptions{})
		for name, change := range map[string]func(*rig.SeedConfig){
			"written out": func(*rig.SeedConfig) {},
			"discovered":  discovering,
		} {
			t.Run(name, func(t *testing.T) {
				s := begin(t, h, func(c *rig.SeedConfig) {
					change(c)
					c.ZKAddr = z.Addr()
				})
				a, b := s.app(front), s.app(base)
				s.serves(front, a)
				s.serves(base, b)
				s.keeps(a, b)
				if info, err := os.Stat(s.stateFile()); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%v %v", info, err)
				}
				for _, end := range []func(){s.stopped, s.powerLoss} {
					if err := z.Kill(); err != nil {
						t.Fatal(err)
					}
					end()
					began := time.Now()
					s.start()
					s.serves(front, a)
					s.serves(base, b)
					s.ready()
					if took := time.Since(began); took > 4*time.Second { // START_WAIT is five
						t.Errorf("it served after %v", took)
					}
					code, body := s.get("/readyz")
					if code != http.StatusOK || !strings.Contains(body, "cannot connect to "+z.Addr()) || !strings.Contains(body, `"recalled":["web-basecentre","web-ngboss"]`) {
						t.Errorf("readyz: %d %s", code, body)
					}
					if s.freshness() != "1" {
						t.Error("the answer is not marked stale")
					}
					load := s.load(rig.Target{Path: "/", App: front})
					if err := z.Start(t.Context()); err != nil {
						t.Fatal(err)
					}
					c := s.app(front)
					deadline := time.Now().Add(promptly)
					s.servesBy(deadline, front, a, c)
					s.eventually("nothing is stale", func() error {
						if _, body := s.get("/readyz"); strings.Contains(body, "recalled") || s.freshness() != "" {
							return fmt.Errorf("%s", body)
						}
						return nil
					})
					if err := c.Unregister(); err != nil {
						t.Fatal(err)
					}
					s.serves(front, a)
					s.lost(load)
					s.keeps(a, b)
				}
			})
		}
	})
}

// powerLoss ends the daemon and HAProxy like the end of the machine.
func (s *stage) powerLoss() {
	s.t.Helper()
	s.daemon.Kill()
	if err := s.daemon.Close(); err != nil { // HAProxy
		s.t.Fatal(err)
	}
}

// TestCachedListsAreNotServedWhenZooKeeperAnswers starts with an old cache.
func TestCachedListsAreNotServedWhenZooKeeperAnswers(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a, b := s.app(front), s.app(base)
		s.serves(front, a)
		s.serves(base, b)
		s.keeps(a, b)
		s.stopped()
		if err := a.Unregister(); err != nil {
			t.Fatal(err)
		}
		if err := a.Stop(); err != nil {
			t.Fatal(err)
		}
		c := s.app(front)
		s.start()
		s.ready()
		s.compareNow(front, c)
		if strings.Contains(s.daemon.Output(), "serving cached ones") {
			t.Error("old lists were served")
		}
	})
}

// TestUnusableCacheIsReported: an unusable cache is logged and otherwise ignored.
func TestUnusableCacheIsReported(t *testing.T) {
	t.Parallel()
	z := ownZooKeeper(t, rig.ZooKeeperOptions{})
	h := shared.haproxies[0]
	s := newStage(t, h, func(c *rig.SeedConfig) { c.ZKAddr = z.Addr() })
	s.connect()
	a := s.app(front)
	if err := os.Mkdir(filepath.Dir(s.stateFile()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.stateFile(), []byte(`{"version":1,"proxy":"ngb`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.ready()
	s.serves(front, a)
	s.keeps(a) // replacing it
	if !strings.Contains(s.daemon.Output(), "it is corrupt") {
		t.Error("the damaged file was not reported")
	}
	s.stopped()

	// A directory that cannot be created.
	if err := os.RemoveAll(filepath.Dir(s.stateFile())); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Dir(s.stateFile()), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, found := s.findings(s.written())
	wants(t, found, "warning", "STATE_DIR", "a start without ZooKeeper will serve nothing")
	if code != 0 {
		t.Errorf("check: exit code %d", code)
	}
	s.start()
	s.ready()
	s.serves(front, a)
	s.eventually("it is reported", func() error {
		if !strings.Contains(s.daemon.Output(), "cannot write the registration cache") {
			return fmt.Errorf("nothing")
		}
		return nil
	})
	s.stopped()
}

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// caches waits until the cache of the directory has these texts.
func (s *stage) caches(texts ...string) {
	s.t.Helper()
	s.eventually("the directory is cached", func() error {
		file, err := os.ReadFile(filepath.Join(s.home, "state", s.proxy()+".directory"))
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(texts, func(text string) bool { return !strings.Contains(string(file), text) }); i >= 0 {
			return fmt.Errorf("no %s in %s", texts[i], file)
		}
		return nil
	})
}

// A start while the directory is missing, or is the empty mount point of its volume, serves
// what it said last, with weights and drained instances, and follows it once it is there.
func TestStartWithoutDirectoryServesFromCache(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		for name, discovers := range map[string]bool{"configured": false, "discovered": true} {
			t.Run(name, func(t *testing.T) {
				s := fromFiles(t, h, func(c *rig.SeedConfig) {
					c.Extra["zk.format"] = "curator"
					c.Groups = []rig.Group{{Name: front, DefaultBackend: true}}
					if discovers {
						c.Groups = []rig.Group{{Name: "*", ServerTemplate: "${group_name} 1-${max_server} ${ip_port} check weight 100 disabled"}}
					}
				})
				a, b, c := s.unregistered(front), s.unregistered(front), s.unregistered(front)
				file := func(name string) string { return filepath.Join(s.services(), front, "instances", name) }
				s.renamed(file("a"), springPayload(a, `"weight":"30"`))
				s.renamed(file("b"), springPayload(b, ""))
				s.renamed(file("c"), springPayload(c, `"instance_status":"OUT_OF_SERVICE"`))
				want := map[string]string{a.Addr(): "ready 30", b.Addr(): "ready 100", c.Addr(): "drain 0"}
				is := func(what string) {
					t.Helper()
					s.eventually(what, func() error { return s.weighs(front, want) })
				}
				s.start()
				s.ready()
				is("as they registered")
				for _, meanwhile := range []func(){func() {}, func() { s.mkdir(s.services()) }} {
					s.caches(`"weight":30`, `"drain":true`, b.Addr())
					s.stopped()
					s.must(os.Rename(s.services(), s.services()+".away"))
					meanwhile()
					s.start()
					s.ready()
					is("as they were registered last")
					if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(body, `"recalled":["`+front+`"]`) {
						t.Errorf("readyz: %d %s", code, body)
					}
					s.logs("cannot read the registrations yet, serving cached ones")
					load := s.load(rig.Target{Path: "/" + front + "/x", App: front})
					s.must(os.RemoveAll(s.services()))
					s.renamed(filepath.Join(s.services()+".away", front, "instances", "a"), springPayload(a, `"weight":"60"`))
					s.must(os.Rename(s.services()+".away", s.services()))
					want[a.Addr()] = "ready 60" // which no operator has set
					is("as they register now")
					s.eventually("nothing is recalled", func() error {
						if _, body := s.get("/readyz"); strings.Contains(body, "recalled") {
							return fmt.Errorf("%s", body)
						}
						return nil
					})
					s.lost(load)
					s.renamed(file("a"), springPayload(a, `"weight":"30"`))
					want[a.Addr()] = "ready 30"
					is("as before")
				}
				s.stopped()
			})
		}
	})
}

// A start while the file system of the directory does not answer serves from the cache just
// as soon, and so does a stop; once the file system is back, it is followed.
func TestStartWithHangingDirectoryServesFromCache(t *testing.T) {
	needs.FUSE(t)
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := fromFiles(t, h, func(c *rig.SeedConfig) { c.Extra["zk.format"] = "curator" })
		a, b := s.unregistered(front), s.unregistered(front)
		file := func(name string) string { return filepath.Join(s.services(), front, "instances", name) }
		s.renamed(file("a"), springPayload(a, `"weight":"30"`))
		s.renamed(file("b"), springPayload(b, ""))
		want := map[string]string{a.Addr(): "ready 30", b.Addr(): "ready 100"}
		is := func(what string) {
			t.Helper()
			s.eventually(what, func() error { return s.weighs(front, want) })
		}
		s.start()
		s.ready()
		is("as they registered")
		s.caches(`"weight":30`, b.Addr())
		s.stopped()
		hang, err := rig.MountHang(s.services())
		s.must(err)
		t.Cleanup(func() { s.must(hang.Close()) })
		for range 2 {
			s.start()
			s.ready()
			is("as they were registered last")
			s.logs("cannot read the registrations yet, serving cached ones")
			s.logs("file system does not answer, the instances known stay")
			if code, body := s.get("/readyz"); code != http.StatusOK || !strings.Contains(body, "has not answered for 10s") {
				t.Errorf("readyz: %d %s", code, body)
			}
			s.stopped()
		}
		s.start()
		s.ready()
		s.must(hang.Close())
		s.renamed(file("a"), springPayload(a, `"weight":"60"`))
		want[a.Addr()] = "ready 60"
		is("followed again")
		s.stopped()
	})
}

package syncer

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// TestAbsenceIsReportedOnce has a ZooKeeper that is down at the start, comes, ends its
// sessions at once for a while, and loses its data.
func TestAbsenceIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeServer()
		f.mode = refuse
		c := newClient(t, f.connect, []string{"zk:2181"}, 1)
		var mu sync.Mutex
		var reported []string
		c.options.Report = func(e registry.Event) {
			mu.Lock()
			defer mu.Unlock()
			reported = append(reported, string(e.Kind)+": "+e.Detail)
		}
		has := func(what string, want ...string) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if !slices.EqualFunc(reported, want, strings.HasPrefix) {
				t.Errorf("%s: %q, want %q", what, reported, want)
			}
			reported = nil
		}
		c.start()
		after(firstReminder / 2)
		has("at first")
		after(3 * time.Minute)
		has("it does not come", "zookeeper_lost: cannot connect to zk:2181: connection refused")
		f.lock(func() { f.mode = serve })
		after(time.Minute)
		has("it comes", "zookeeper_back: connected to zk:2181 after 2m")
		for range 100 {
			f.drop(serve)
			after(100 * time.Millisecond)
		}
		has("sessions end at once", "zookeeper_lost: connection to zk:2181 ", "zookeeper_back: ", "zookeeper_lost: connection to zk:2181 ")
		after(time.Minute)
		has("they last", "zookeeper_back: connected to zk:2181 after ")
		f.drop(serve)
		f.lock(func() {
			f.zxid = 1
			clear(f.sessions)
			clear(f.children)
		})
		after(time.Minute)
		has("another session is needed", "zookeeper_lost: connection to zk:2181 ", "zookeeper_back: connected to zk:2181 after ")
		c.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		f := newFakeServer()
		c := newClient(t, f.connect, []string{"zk:2181"}, 1)
		c.options.Report = func(e registry.Event) { t.Errorf("reported: %v", e) }
		c.start()
		after(time.Minute)
		c.stop()
	})
}

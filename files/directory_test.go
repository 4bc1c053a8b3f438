package files

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestFilesAreInstances(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Groups = []string{"web", "empty"} })
	p.write("web/instances/10.0.0.1:80", "ignored")
	p.write("web/instances/.10.0.0.9:80.tmp", "")
	p.write("api.v2.instances", "# two\n\n10.0.0.3:80\n  10.0.0.2:80 10.0.0.4:81\n10.0.0.3:80\n")
	p.start()
	p.expect("web", "10.0.0.1:80")
	p.expect("empty")
	p.expect("api.v2", "10.0.0.2:80", "10.0.0.3:80")
	p.eventually("discovered", func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !slices.Equal(p.discovered, []string{"api.v2"}) {
			return fmt.Errorf("%q", p.discovered)
		}
		return nil
	})

	p.write("web/instances/[fd00::1]:80", "")
	p.expect("web", "10.0.0.1:80", "[fd00::1]:80")
	p.remove("web/instances/10.0.0.1:80")
	p.expect("web", "[fd00::1]:80")
	p.write("web.instances", "10.0.0.7:80\n")
	p.expect("web", "10.0.0.7:80", "[fd00::1]:80")
	p.write("shop/instances/10.0.0.8:80", "")
	p.expect("shop", "10.0.0.8:80")
	p.remove("shop")
	p.expect("shop", "10.0.0.8:80") // it is no group any more
	p.eventually("discovered", func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if slices.Contains(p.discovered, "shop") {
			return fmt.Errorf("%q", p.discovered)
		}
		return nil
	})
	p.write("shop/instances/10.0.0.9:80", "")
	p.expect("shop", "10.0.0.9:80")
}

// What is written aside and renamed is read whole.
func TestAtomicRenamesAreUnderstood(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	p.write("web.instances", "10.0.0.1:80\n")
	p.write("web/instances/10.0.0.2:80", "")
	p.start()
	p.expect("web", "10.0.0.1:80", "10.0.0.2:80")

	p.write(".web.instances.tmp", "10.0.0.3:80\n")
	p.must(os.Rename(p.path(".web.instances.tmp"), p.path("web.instances")))
	p.expect("web", "10.0.0.2:80", "10.0.0.3:80")

	p.write("aside", "")
	p.must(os.Rename(p.path("aside"), p.path("web/instances/10.0.0.4:80")))
	p.expect("web", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80")
	p.must(os.Rename(p.path("web/instances/10.0.0.4:80"), p.path("web/instances/10.0.0.5:80")))
	p.expect("web", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.5:80")
}

// The library keeps the watch of a renamed directory under its old name.
func TestRenamedDirectoriesAreWatched(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Reread = time.Hour })
	p.write("old/instances/10.0.0.1:80", "")
	p.start()
	p.expect("old", "10.0.0.1:80")
	for i := range 5 {
		from, to := fmt.Sprintf("new%d", i-1), fmt.Sprintf("new%d", i)
		if i == 0 {
			from = "old"
		}
		p.must(os.Rename(p.path(from), p.path(to)))
		p.expect(to, "10.0.0.1:80")
		p.write(to+"/instances/10.0.0.2:80", "")
		p.expect(to, "10.0.0.1:80", "10.0.0.2:80")
		p.remove(to + "/instances/10.0.0.2:80")
		p.expect(to, "10.0.0.1:80")
	}
	p.must(os.Rename(p.path("new4/instances"), p.path("new4/aside")))
	p.expect("new4")
	p.must(os.Rename(p.path("new4/aside"), p.path("new4/instances")))
	p.write("new4/instances/10.0.0.3:80", "")
	p.expect("new4", "10.0.0.1:80", "10.0.0.3:80")
}

func TestLostDirectoryKeepsLists(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Groups = []string{"web"} })
	p.write("web/instances/10.0.0.1:80", "")
	p.write("api/instances/10.0.0.2:80", "")
	p.start()
	p.expect("web", "10.0.0.1:80")
	p.expect("api", "10.0.0.2:80")
	p.must(os.Rename(p.dir, p.dir+".away"))
	p.eventually("lost", func() error {
		if c := p.of.ConnectionStatus(); c.Connected || !strings.Contains(c.Problem, "no such file") {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	p.must(errors.Join(p.compare("web", "10.0.0.1:80"), p.compare("api", "10.0.0.2:80")))

	p.write("web/instances/10.0.0.3:80", "")
	p.expect("web", "10.0.0.3:80")
	if c := p.of.ConnectionStatus(); !c.Connected || c.Source != registry.Directory || time.Since(c.Last) > within {
		t.Errorf("%+v", c)
	}
	p.write("web/instances/10.0.0.4:80", "") // it is watched
	p.expect("web", "10.0.0.3:80", "10.0.0.4:80")
	p.lock(func() {
		if want := []registry.EventKind{registry.EventDirectoryLost, registry.EventDirectoryBack}; !slices.Equal(p.events, want) {
			t.Errorf("%v", p.events)
		}
	})
}

func TestRemovedDirectoryIsAwaited(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Groups = []string{"web"} })
	p.remove("")
	p.start()
	p.eventually("lost", func() error {
		if c := p.of.ConnectionStatus(); c.Connected || c.Problem == firstProblem {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	p.lock(func() {
		if len(p.groups) > 0 {
			t.Errorf("%v", p.groups)
		}
	})
	p.write("web/instances/10.0.0.1:80", "")
	p.expect("web", "10.0.0.1:80")
}

// Changes are found without events too.
func TestDirectoryIsReadAgain(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Reread = 50 * time.Millisecond })
	p.write("web/instances/10.0.0.1:80", "")
	deaf(p)
	p.start()
	p.expect("web", "10.0.0.1:80")
	p.write("web/instances/10.0.0.2:80", "")
	p.write("api.instances", "10.0.0.3:80")
	p.expect("web", "10.0.0.1:80", "10.0.0.2:80")
	p.expect("api", "10.0.0.3:80")
}

// deaf makes a place read in a directory that events do not name: they arrive with another
// prefix.
func deaf(p *place) { p.of.options.Dir = p.dir + "/." }

func TestGroupsBeyondTheLimitAreNotFollowed(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Most = 2 })
	p.write("m/instances/10.0.0.1:80", "")
	p.write("not a group/instances/10.0.0.1:80", "")
	p.start()
	p.expect("m", "10.0.0.1:80")
	for _, name := range []string{"a", "b", "z"} {
		p.write(name+"/instances/10.0.0.2:80", "")
	}
	p.eventually("the limit", func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !slices.Contains(p.discovered, "m") || !slices.Contains(p.discovered, "not a group") || len(p.discovered) != 3 {
			return fmt.Errorf("%q", p.discovered)
		}
		return nil
	})
}

func TestContentIsDataIfItIsAskedFor(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Decoder = decoding(decode.Auto) })
	p.write("web/instances/a", "10.0.0.1:80\n")
	p.start()
	p.expect("web", "10.0.0.1:80")
	p.write("web/instances/a", "10.0.0.2:80")
	p.expect("web", "10.0.0.2:80")
	p.write("web/instances/b", strings.Repeat("x", maxData+1))
	p.finds("web", registry.Unreadable, 1)
	p.write("web/instances/a", strings.Repeat("x", maxData+1)) // its last content counts
	p.finds("web", registry.Unreadable, 2)
	p.must(p.compare("web", "10.0.0.2:80"))
}

// A mount point without its volume is an empty directory.
func TestEmptyDirectoryInItsPlaceCountsAsLost(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	p.write("web/instances/10.0.0.1:80", "")
	p.start()
	p.expect("web", "10.0.0.1:80")
	p.must(os.Rename(p.dir, p.dir+".away"))
	p.mkdir("")
	p.eventually("lost", func() error {
		if c := p.of.ConnectionStatus(); c.Connected || c.Problem != errEmptied.Error() {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	p.must(p.compare("web", "10.0.0.1:80"))
	p.must(os.Remove(p.dir))
	p.must(os.Rename(p.dir+".away", p.dir))
	p.write("web/instances/10.0.0.2:80", "")
	p.expect("web", "10.0.0.1:80", "10.0.0.2:80")

	// One that is emptied is empty.
	p.remove("web")
	p.eventually("empty", func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.discovered) > 0 {
			return fmt.Errorf("%q", p.discovered)
		}
		return nil
	})
}

// At the start, too, if the previous process had instances.
func TestEmptyDirectoryAtTheStartCountsAsLost(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Groups, o.Discover, o.Earlier = []string{"web"}, nil, true })
	p.start()
	p.eventually("lost", func() error {
		if c := p.of.ConnectionStatus(); c.Connected || c.Problem != errEmptied.Error() {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	p.lock(func() {
		if len(p.groups) > 0 {
			t.Errorf("an empty list was delivered: %v", p.groups)
		}
	})
	p.mkdir("web/instances")
	p.expect("web") // not quite empty
	p.write("web/instances/10.0.0.1:80", "")
	p.expect("web", "10.0.0.1:80")
}

func TestWithoutInotifyTheDirectoryIsReadAgain(t *testing.T) {
	t.Parallel()
	p := newPlace(t, func(o *Options) { o.Reread = 100 * time.Millisecond })
	p.write("web/instances/10.0.0.1:80", "")
	var exhausted atomic.Bool
	exhausted.Store(true)
	p.of.inotify = func() (*fsnotify.Watcher, error) {
		if exhausted.Load() {
			return nil, unix.EMFILE
		}
		return fsnotify.NewWatcher()
	}
	p.start()
	p.expect("web", "10.0.0.1:80")
	says := func(text string) func() error {
		return func() error {
			p.mu.Lock()
			defer p.mu.Unlock()
			if n := strings.Count(p.logged.String(), text); n != 1 {
				return fmt.Errorf("%d lines", n)
			}
			return nil
		}
	}
	p.eventually("it is reported", says("cannot watch the whole directory"))
	p.write("web/instances/10.0.0.2:80", "")
	p.expect("web", "10.0.0.1:80", "10.0.0.2:80")
	if p.of.status.isWatched() {
		t.Error("it counts as watched")
	}
	exhausted.Store(false)
	p.eventually("it is watched again", says("the whole directory is watched again"))
}

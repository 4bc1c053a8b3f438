package files

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/decode"
)

// maxMarks bounds the groups that wait to be applied; beyond it all of them do.
const maxMarks = 10_000

// watch follows the events of inotify below a directory, and keeps which groups they
// concern until they are taken. A nil watch has no events.
//
// A goroutine of its own receives them: the library holds its lock while it passes on an
// error, and add needs that lock.
type watch struct {
	dir    string
	needs  func(group, name string) decode.Need // of the content of a file
	w      *fsnotify.Watcher                    // nil: there is none
	ended  sync.WaitGroup
	waking chan struct{}
	failed error // why not everything is watched; only the owner uses it

	mu      sync.Mutex
	changes changes
}

// changes are what events concern.
type changes struct {
	// groups are the names of groups that changed; true means that only an instance came.
	groups map[string]bool
	// root is true if an entry of the directory changed, all if any group may have.
	root, all bool
	// moved are the names of entries that were moved, under which they may be watched.
	moved []string
}

func newWatch(dir string, needs func(group, name string) decode.Need, inotify func() (*fsnotify.Watcher, error)) *watch {
	w := &watch{dir: dir, needs: needs, waking: make(chan struct{}, 1)}
	w.w, w.failed = inotify()
	if w.failed != nil {
		return w
	}
	w.ended.Go(w.run)
	return w
}

func (w *watch) run() {
	events, errs := w.w.Events, w.w.Errors
	for events != nil || errs != nil {
		select {
		case e, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			w.note(e)
		case _, ok := <-errs:
			if !ok {
				errs = nil
				continue
			}
			// Events were lost, or a watch was.
			w.change(func(c *changes) { c.root, c.all = true, true })
		}
	}
}

// note records what an event concerns.
func (w *watch) note(e fsnotify.Event) {
	rest, below := strings.CutPrefix(e.Name, w.dir+"/")
	if !below {
		w.change(func(c *changes) { c.root, c.all = true, true })
		return
	}
	path := strings.SplitN(rest, "/", 3)
	for _, name := range path {
		switch {
		case strings.HasPrefix(name, ".."): // a volume of Kubernetes
			w.change(func(c *changes) { c.root, c.all = true, true })
			return
		case strings.HasPrefix(name, "."):
			return
		}
	}
	moves := e.Has(fsnotify.Rename)
	switch name, isList := strings.CutSuffix(path[0], listSuffix); {
	case len(path) == 3 && !w.concerns(e, path[0], path[2]):
	case len(path) == 3:
		w.change(func(c *changes) { c.add(path[0], e.Op == fsnotify.Create) })
	case len(path) == 2:
		w.change(func(c *changes) {
			c.add(path[0], false)
			if moves && path[1] == instances {
				c.moved = append(c.moved, path[0])
			}
		})
	default:
		w.change(func(c *changes) {
			c.root = c.root || e.Op != fsnotify.Write
			c.add(path[0], !isList && e.Op == fsnotify.Create)
			if isList {
				c.add(name, false)
			}
			if moves {
				c.moved = append(c.moved, path[0])
			}
		})
	}
}

// concerns reports whether an event may change what a file of a group registers.
func (w *watch) concerns(e fsnotify.Event, group, file string) bool {
	if e.Has(fsnotify.Create | fsnotify.Remove | fsnotify.Rename) {
		return true
	}
	switch w.needs(group, file) {
	case decode.Always:
		return true
	case decode.Sample:
		return e.Has(fsnotify.Write)
	}
	return false
}

func (c *changes) add(group string, soon bool) {
	if len(c.groups) >= maxMarks || len(c.moved) >= maxMarks {
		c.root, c.all, c.groups, c.moved = true, true, nil, nil
	}
	if c.groups == nil {
		c.groups = make(map[string]bool)
	}
	before, known := c.groups[group]
	c.groups[group] = soon && (before || !known)
}

func (w *watch) change(do func(*changes)) {
	w.mu.Lock()
	do(&w.changes)
	w.mu.Unlock()
	select {
	case w.waking <- struct{}{}:
	default:
	}
}

// dead reports whether there are no events, so that another watch may be better.
func (w *watch) dead() bool { return w == nil || w.w == nil }

// wake receives when there is something to take.
func (w *watch) wake() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.waking
}

// take returns the changes since the last call.
func (w *watch) take() changes {
	if w == nil {
		return changes{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.changes
	w.changes = changes{}
	return taken
}

// add watches a directory. It reports whether it does; one that has just been removed
// counts as watched, since that has an event of its own.
func (w *watch) add(path string) bool {
	if w.w == nil {
		return false
	}
	err := w.w.Add(path)
	if err != nil && !isGone(err) {
		w.failed = err
		return false
	}
	return true
}

// problem returns why something is not watched.
func (w *watch) problem() error {
	if w == nil {
		return errors.ErrUnsupported
	}
	return w.failed
}

// close ends the watch. It may be called on nil.
func (w *watch) close() {
	if w == nil || w.w == nil {
		return
	}
	_ = w.w.Close() // it cannot fail in a way that matters: everything is watched anew
	w.ended.Wait()
}

// apply marks what changed to be read.
func (d *Directory) apply(c changes, at time.Time) {
	for _, name := range c.moved {
		// The library would report events of the moved directory under its old name.
		if d.groups[name] != nil {
			d.rewatch, c.root, c.all = true, true, true
		}
	}
	if c.root {
		d.root.event(at, !c.all)
	}
	if c.all {
		for _, g := range d.groups {
			g.event(at, false)
		}
	}
	for name, soon := range c.groups {
		if g := d.groups[name]; g != nil {
			g.event(at, soon)
		}
	}
}

// isGone reports whether a directory cannot be watched because it was removed or replaced.
func isGone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) }

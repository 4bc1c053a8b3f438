package files

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// maxEntries bounds the entries of a directory.
const maxEntries = 200_000

// readRoot reads which groups there are, and begins to watch the directory.
func (d *Directory) readRoot() {
	began := time.Now()
	var entries []entry
	var err error
	d.timed(func() { entries, err = d.listRoot() })
	d.root.done(time.Since(began))
	if err != nil {
		d.lose(err)
		return
	}
	d.retry.Reset()
	d.find()
	d.discover(entries)
}

// listRoot opens the directory and returns its entries, if they are needed.
func (d *Directory) listRoot() ([]entry, error) {
	root, err := openFolder(d.options.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	id, err := root.identity()
	if err != nil {
		return nil, err
	}
	if id != d.id && (d.serving() || d.id == identity{} && d.options.Earlier) {
		if some, err := root.entries(); err != nil || len(some) == 0 {
			return nil, cmp.Or(err, errEmptied)
		}
	}
	if d.watch.dead() || d.rewatch || id != d.id {
		d.watch.close()
		d.watch, d.rewatch, d.id = newWatch(d.options.Dir, d.needs, d.inotify), false, id
		for _, g := range d.groups {
			g.set(time.Now())
		}
	}
	d.watched = d.watch.add(d.options.Dir)
	if d.options.Discover == nil {
		return nil, nil
	}
	var entries []entry
	err = steadily(func(t *tree) error {
		entries, err = root.entries()
		for i, e := range entries {
			if e.kind == link {
				if entries[i].kind, _, err = t.look(root, e.name); err != nil {
					break
				}
			}
		}
		return err
	})
	return entries, err
}

// errEmptied means that there is another directory, which is empty. That is less likely the
// end of all instances than a volume that was unmounted, or is about to be filled.
var errEmptied = errors.New("an empty directory has taken its place: was it unmounted?")

// serving reports whether any group has an instance.
func (d *Directory) serving() bool {
	for _, g := range d.groups {
		if g.delivered != nil && len(g.delivered.Instances) > 0 {
			return true
		}
	}
	return false
}

// lose records that the directory cannot be read. What is known stays.
func (d *Directory) lose(err error) {
	d.counted.failed(err)
	problem := err.Error()
	if d.status.lost(problem) {
		d.log.Warn("cannot read the directory, the instances known stay", "error", err)
		d.options.Report(registry.Event{Kind: registry.EventDirectoryLost, Detail: problem})
	}
	d.root.set(time.Now().Add(d.retry.NextBackOff()))
}

// find records that the directory can be read.
func (d *Directory) find() {
	after, back := d.status.found()
	if !back {
		return
	}
	after = after.Round(time.Millisecond)
	d.log.Info("directory can be read again", "after", after)
	d.options.Report(registry.Event{Kind: registry.EventDirectoryBack, Detail: fmt.Sprintf("%s can be read again after %v", d.options.Dir, after)})
	for _, g := range d.groups {
		g.set(time.Now())
	}
}

// follow begins to follow a group.
func (d *Directory) follow(name string) {
	g := newGroup(name, d.options.Dir, d.log)
	g.hosts = d.resolver.Follow(func() { d.noteMoved(g) })
	d.groups[name] = g
	d.notes.Add(g.note)
	g.set(time.Now())
}

// discover follows the groups among the entries of the directory, and no others but those
// of the configuration.
func (d *Directory) discover(entries []entry) {
	if d.options.Discover == nil {
		return
	}
	exists := make(map[string]bool, len(entries))
	var strays intake.Summary
	for _, e := range entries {
		name := e.name
		switch list, isList := strings.CutSuffix(name, listSuffix); {
		case e.kind == folders:
		case e.kind == missing:
			continue
		case isList && e.kind == regular:
			name = list
		case isList && slices.Contains(d.options.Groups, list):
			continue // reported there
		case e.kind == regular:
			strays.Add(name, noList())
			continue
		default:
			strays.Add(name, notFile(e.kind))
			continue
		}
		exists[name] = true
	}
	d.strays.Set(0, strays.Found()...)
	for _, name := range d.options.Groups {
		delete(exists, name)
	}
	listed, dropped := d.choose(exists)
	d.logDropped(dropped)
	if d.found != nil && len(listed) == len(d.found) && !slices.ContainsFunc(listed, func(name string) bool { return !d.found[name] }) {
		return
	}
	before := d.found
	d.found = make(map[string]bool, len(listed))
	for _, name := range listed {
		d.found[name] = true
	}
	// The sink must know a group before its instances arrive.
	d.options.Sink.SetGroups(registry.Discovered{Names: listed})
	for name := range before {
		if g := d.groups[name]; g != nil && !d.found[name] {
			d.notes.Remove(g.note)
			d.status.allow(g.path)
			g.hosts.Set(nil)
			delete(d.groups, name)
		}
	}
	for _, name := range listed {
		if d.groups[name] == nil && d.options.Discover(name) {
			d.follow(name)
		}
	}
}

// choose returns the sorted names that are passed on: unsafe ones too, which the sink logs,
// and of the others at most as many as are allowed, those known first.
func (d *Directory) choose(exists map[string]bool) (listed []string, dropped int) {
	room := d.options.Most
	for name := range exists {
		if d.groups[name] != nil {
			room--
		}
	}
	names := make([]string, 0, len(exists))
	for name := range exists {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch {
		case d.groups[name] != nil || !d.options.Discover(name):
		case room <= 0:
			dropped++
			continue
		default:
			room--
		}
		listed = append(listed, name)
	}
	return listed, dropped
}

// logDropped logs when the limit of groups begins and ceases to be exceeded.
func (d *Directory) logDropped(n int) {
	switch {
	case n > 0 && !d.overfull:
		d.log.Error("more groups in the directory than the limit; known groups stay, the rest is not served; configure groups by name, or delete what is no group", "served", d.options.Most, "left_out", n)
	case n == 0 && d.overfull:
		d.log.Info("all groups of the directory are served again")
	}
	d.overfull = n > 0
}

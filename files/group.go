package files

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/resolve"
	"github.com/haproxy-zk/haproxy-zk/retry"
	"github.com/haproxy-zk/haproxy-zk/streak"
)

const (
	// instances is the directory of a group's files.
	instances = "instances"
	// maxData bounds the content of a file: that of a znode. maxGroupData bounds that of a
	// group.
	maxData      = 1 << 20
	maxGroupData = 64 << 20
	// readTries bounds how often a directory is read again because it changed meanwhile.
	readTries = 3
)

// group is one group that is followed.
type group struct {
	mark

	name string
	path string
	note *intake.Note
	log  *slog.Logger

	delivered *registry.Group   // nil: nothing was delivered yet
	verified  time.Time         // when the last successful read began
	data      map[string][]byte // the last known content by file, if it is read
	unwatched bool
	hosts     *resolve.Follower
	moved     atomic.Bool // the address of a host name has changed
	trouble   streak.Streak
	retry     *backoff.ExponentialBackOff
}

func newGroup(name, dir string, log *slog.Logger) *group {
	g := &group{name: name, path: dir + "/" + name, log: log.With("group", name), retry: retry.Backoff(retryMin, retryMax)}
	g.note = newNote(name, g.path, g.log)
	return g
}

// listing is what was read of a group.
type listing struct {
	children []child
	found    intake.Summary
	data     map[string][]byte
}

// readGroup reads a group and delivers its list if it has changed.
func (d *Directory) readGroup(ctx context.Context, g *group) {
	began, since := time.Now(), g.since
	if since.IsZero() {
		since = g.verified
	}
	var l listing
	var err error
	d.timed(func() {
		err = steadily(func(t *tree) (err error) {
			l, err = d.list(t, g)
			return err
		})
	})
	took := time.Since(began)
	g.done(took)
	if errors.Is(err, errReplaced) {
		d.root.set(time.Now())
		g.set(time.Now().Add(settle))
		return
	}
	if err != nil {
		d.fail(g, err)
		return
	}
	d.counted.succeeded()
	g.retry.Reset()
	d.status.allow(g.path)
	d.status.heard(began)
	if attrs, ended := g.trouble.Over(time.Now()); ended {
		g.log.With(attrs...).Info("group can be read again", "path", g.path)
	}
	g.verified, g.data = began, l.data
	d.deliver(ctx, g, l, since)
}

// fail records a failed read. The delivered list stays.
func (d *Directory) fail(g *group, err error) {
	d.counted.failed(err)
	var pause time.Duration
	problem := err.Error()
	if errors.Is(err, fs.ErrPermission) {
		d.status.deny(g.path)
		problem, pause = "denied", jitter(retryDenied)
	} else {
		pause = g.retry.NextBackOff()
	}
	if attrs, due := g.trouble.Failed(time.Now(), problem); due {
		g.log.With(attrs...).Warn("cannot read a group of the directory, the instances known stay", "path", g.path, "error", err)
	}
	g.set(time.Now().Add(pause))
}

// deliver passes the group on if it has changed, and records what was skipped.
func (d *Directory) deliver(ctx context.Context, g *group, l listing, since time.Time) {
	children := d.decode(ctx, g, l)
	if ctx.Err() != nil {
		return // the host names may not have been looked up
	}
	list, _, next := intake.Take(children, g.hosts, d.options.Admit, &l.found)
	if !next.IsZero() {
		g.set(next)
	}
	now := list.Group(g.name)
	now.Skipped, now.Since = unused(l.found.Found()), since
	g.note.SetChildren(0, len(now.Instances), list.Formats(), &l.found)
	if g.delivered != nil && g.delivered.Skipped == now.Skipped && slices.Equal(g.delivered.Instances, now.Instances) && maps.Equal(g.delivered.Terms, now.Terms) {
		return
	}
	handed := now
	g.delivered = &handed
	now.Instances = slices.Clone(now.Instances)
	d.options.Sink.SetGroup(now)
}

// errReplaced means that the directory is not the one that is watched.
var errReplaced = errors.New("the directory was replaced")

// list reads what a group registers: the files below GROUP/instances and the lines of
// GROUP.instances. What does not exist registers nothing.
func (d *Directory) list(t *tree, g *group) (listing, error) {
	var l listing
	root, err := t.keep(openFolder(d.options.Dir))
	if err != nil {
		return l, errReplaced
	}
	if id, err := root.identity(); err != nil || id != d.id {
		return l, errReplaced
	}
	g.unwatched = false
	if err := d.listFiles(t, root, g, &l); err != nil {
		return l, err
	}
	name := g.name + listSuffix
	switch k, in, err := t.look(root, name); {
	case err != nil:
		return l, err
	case k == missing:
	case k == regular:
		text, err := in.read(name, maxList)
		if errors.Is(err, fs.ErrNotExist) {
			return l, nil
		}
		if err != nil {
			return l, err
		}
		l.children = append(l.children, parseList(text)...)
	default:
		l.found.Add(name, notFile(k))
	}
	return l, nil
}

// listFiles reads the files of a group.
func (d *Directory) listFiles(t *tree, root *folder, g *group, l *listing) error {
	of, err := d.enter(t, root, g.name, g, l)
	if err != nil || of == nil {
		return err
	}
	in, err := d.enter(t, of, instances, g, l)
	if err != nil {
		return err
	}
	if in == nil {
		others, err := of.entries()
		for _, e := range others {
			if e.name != instances {
				l.found.Add(e.name, registry.Finding{Kind: registry.Misplaced, Problem: "not in the directory instances of the group", Remedy: "move it to " + g.path + "/" + instances})
			}
		}
		return err
	}
	entries, err := settled(in)
	if err != nil {
		return err
	}
	contents := contents{group: g, decoder: d.options.Decoder(g.name), room: maxGroupData}
	for _, e := range entries {
		k, at := e.kind, in
		if k == link {
			if k, at, err = t.look(in, e.name); err != nil {
				return err
			}
		}
		switch k {
		case missing:
		case regular:
			l.children = append(l.children, child{name: e.name, data: contents.of(at, e.name, l)})
		default:
			l.found.Add(e.name, notFile(k))
		}
	}
	return nil
}

// enter watches and opens a directory of a group. What is no directory is recorded; like a
// missing one it is nil.
func (d *Directory) enter(t *tree, in *folder, name string, g *group, l *listing) (*folder, error) {
	k, at, err := t.look(in, name)
	switch {
	case err != nil:
		return nil, err
	case k == missing:
		return nil, nil
	case k == regular && name == g.name:
		l.found.Add(name, noList())
		return nil, nil
	case k != folders:
		l.found.Add(name, notFile(k))
		return nil, nil
	}
	if at == in && len(t.pins) == 0 && !d.watch.add(in.join(name)) {
		g.unwatched = true
	}
	return t.descend(in, name)
}

// settled returns the entries of a directory. It is read again if it changed meanwhile: an
// entry that is renamed during a read may be missed.
func settled(f *folder) (entries []entry, err error) {
	for range readTries {
		before := f.modified()
		if entries, err = f.entries(); err != nil || f.modified() == before {
			break
		}
	}
	return entries, err
}

func noList() registry.Finding {
	return registry.Finding{Kind: registry.Misplaced, Problem: "a file that is no list of instances", Remedy: "name it GROUP.instances if its lines are instances, or move it to GROUP/instances/"}
}

func notFile(k kind) registry.Finding {
	remedy := "name files ip:port, and delete anything else"
	if k == link {
		remedy = "create a file: symbolic links are not followed, except those of Kubernetes' volumes"
	}
	return registry.Finding{Kind: registry.NotFile, Problem: string(k) + ", which is not used", Remedy: remedy}
}

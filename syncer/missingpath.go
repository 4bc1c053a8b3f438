package syncer

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/retry"
)

const (
	// recheckSoon is how soon a missing path is checked again: a client that has just created its
	// parent is about to register there.
	recheckSoon = 3 * time.Second

	// Bounds of the interval between attempts to create paths: somebody may keep deleting
	// them.
	createMin = 10 * time.Second
	createMax = 5 * time.Minute
)

// missingPath is how a path that does not exist is handled.
type missingPath struct {
	// parent is the parent of the path, whose children may be instances registered in
	// another way. It is empty if other groups may be below it.
	parent string
	// creates is true if the path is to be created.
	creates bool
	acl     []zk.ACL
	remedy  string // for a path that may not be created

	checks int       // since the path last existed
	next   time.Time // earliest time of the next attempt to create it
	retry  *backoff.ExponentialBackOff
}

func newMissingPath(parent, auth string) missingPath {
	a := missingPath{
		parent: parent, acl: zk.WorldACL(zk.PermAll), retry: retry.Backoff(createMin, createMax),
		remedy: "set zk.auth to a user with create permission, or create it by hand",
	}
	if auth != "" {
		a.acl, a.remedy = zk.AuthACL(zk.PermAll), "grant create on its parent to the user of zk.auth, or create it by hand"
	}
	return a
}

// pathExists ends what handleMissing has begun.
func (g *groupFollower) pathExists() {
	g.missingPath.checks = 0
	g.missingPath.retry.Reset()
	g.note.Set(fromPlace)
	g.note.Set(fromCreate)
}

// handleMissing creates a path that does not exist, or looks for instances beside it. It
// returns when to check again.
func (g *groupFollower) handleMissing(t tree) time.Duration {
	a := &g.missingPath
	wait := g.nextSafety()
	if a.creates {
		wait = min(wait, g.create(t))
	}
	if a.parent != "" {
		if a.checks++; a.checks == 1 {
			wait = min(wait, jitter(recheckSoon))
		}
		g.checkSiblings(t)
	}
	return wait
}

// checkSiblings records the children that the parent has instead of the path.
func (g *groupFollower) checkSiblings(t tree) {
	names, _, err := t.Children(g.missingPath.parent)
	names = slices.DeleteFunc(names, decode.Silent)
	missing := path.Base(g.path)
	switch {
	case errors.Is(err, zk.ErrNoNode), err == nil && (len(names) == 0 || slices.Contains(names, missing)):
		g.note.Set(fromPlace)
		return
	case err != nil:
		return // earlier findings remain
	}
	first := slices.Min(names)
	what := cmp.Or(decode.Describe(decode.Shape(first)), "not an ip:port")
	if _, err := decode.Address(first); err == nil {
		what = "an ip:port"
	}
	g.note.Set(fromPlace, registry.Finding{
		Kind: registry.Misplaced, Count: len(names), Example: intake.Printable(first),
		Problem: fmt.Sprintf("%s does not exist, and %s has other children; the example is %s", g.path, g.missingPath.parent, what),
		Remedy:  "correct zk.path, or register instances below it as ip:port",
	})
}

// create creates the path, unless it is too soon, and returns when to check again.
func (g *groupFollower) create(t tree) time.Duration {
	a := &g.missingPath
	if wait := time.Until(a.next); wait > 0 {
		return wait
	}
	err := ensure(t, g.path, a.acl)
	wait := a.retry.NextBackOff()
	a.next = time.Now().Add(wait)
	switch {
	case err == nil:
		g.note.Set(fromCreate)
		g.log.Info("path created, since create_paths is set", "path", g.path)
	case !isLoss(err):
		g.note.Set(fromCreate, registry.Finding{Kind: registry.NotCreated, Problem: err.Error(), Remedy: a.remedy})
	}
	return wait
}

// ensure creates a node and its missing parents.
func ensure(t tree, node string, acl []zk.ACL) error {
	_, err := t.Create(node, nil, zk.FlagPersistent, acl)
	if parent := path.Dir(node); errors.Is(err, zk.ErrNoNode) && parent != "/" {
		if err := ensure(t, parent, acl); err != nil {
			return err
		}
		_, err = t.Create(node, nil, zk.FlagPersistent, acl)
	}
	switch {
	case err == nil, errors.Is(err, zk.ErrNodeExists):
		return nil
	case errors.Is(err, zk.ErrNoAuth):
		return fmt.Errorf("no permission to create %s (NoAuth): %w", node, err)
	}
	return fmt.Errorf("create %s: %w", node, err)
}

// parents counts the groups below each path.
type parents map[string]int

// countParents counts the configured groups. Below the path of discovery, and above it,
// there are many.
func countParents(groups []Group, d *Discovery) parents {
	ps := make(parents)
	add := func(node string, n int) {
		for ; node != "/" && node != "."; node = path.Dir(node) {
			ps[node] += n
		}
	}
	for _, g := range groups {
		add(path.Dir(g.Path), 1)
	}
	if d != nil {
		add(d.Parent, 2)
	}
	return ps
}

// own returns the parent of a group's path if only the group's instances are expected
// there, else "". written means that the group itself has been counted.
//
// If the last element of the path is the group's name, all groups share the parent.
func (ps parents) own(g Group, written bool) string {
	parent, last := path.Split(g.Path)
	parent = strings.TrimSuffix(parent, "/")
	others := ps[parent]
	if written {
		others--
	}
	named := slices.Contains(strings.Split(parent, "/"), g.Name)
	if parent == "" || others > 0 || !named && strings.Contains(last, g.Name) {
		return ""
	}
	return parent
}

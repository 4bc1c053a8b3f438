package syncer

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/retry"
)

// nodeTree is a tree of one node below a parent. It records every change of the node.
type nodeTree struct {
	fakeTree

	session int64 // of the client
	parent  bool  // it exists
	owner   int64
	exists  bool
	denies  bool
	did     []string
}

func (n *nodeTree) Exists(string) (bool, *zk.Stat, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return false, nil, n.err
	}
	return n.exists, &zk.Stat{EphemeralOwner: n.owner}, nil
}

func (n *nodeTree) ExistsW(path string) (bool, *zk.Stat, <-chan zk.Event, error) {
	exists, stat, err := n.Exists(path)
	n.mu.Lock()
	defer n.mu.Unlock()
	return exists, stat, n.watch(), err
}

func (n *nodeTree) Create(path string, _ []byte, flags int32, _ []zk.ACL) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.denies:
		return "", zk.ErrNoAuth
	case flags == zk.FlagPersistent:
		n.parent = true
		n.did = append(n.did, "create parent "+path)
		return path, nil
	case !n.parent:
		return "", zk.ErrNoNode
	case n.exists:
		return "", zk.ErrNodeExists
	}
	n.exists, n.owner = true, n.session
	n.did = append(n.did, "create")
	return path, nil
}

func (n *nodeTree) Delete(string, int32) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.exists = false
	n.did = append(n.did, "delete")
	return nil
}

func (n *nodeTree) Multi(ops ...any) ([]zk.MultiResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, deletes := ops[0].(*zk.DeleteRequest)
	_, creates := ops[1].(*zk.CreateRequest)
	if len(ops) != 2 || !deletes || !creates {
		return nil, zk.ErrBadArguments
	}
	n.owner = n.session
	n.did = append(n.did, "replace")
	return nil, nil
}

// took returns the changes since the last call.
func (n *nodeTree) took() (did []string) {
	synctest.Wait()
	n.changeSilently(func() { did, n.did = n.did, nil })
	return did
}

// keeping is a keeper of the node /web/a over a link of session 7.
type keeping struct {
	*keeper
	tree    *nodeTree
	links   links
	reports []bool // guarded by the tree's lock
	said    strings.Builder
}

func keep(t *testing.T, tree *nodeTree, story func(k *keeping)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := &keeping{tree: tree, links: links{link: newLink()}}
		tree.session = 7
		k.keeper = &keeper{
			parent: "/web", acl: zk.WorldACL(zk.PermAll), wake: make(chan struct{}, 1), own: make(map[int64]bool), retry: retry.Backoff(retryMin, retryMax),
			log:    slog.New(slog.NewTextHandler(&k.said, nil)),
			report: func(registered bool) { tree.changeSilently(func() { k.reports = append(k.reports, registered) }) },
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			k.run(ctx, tree, &k.links)
		}()
		k.links.establish("zk:2181", tree.session, nil)
		story(k)
		cancel()
		<-ended
	})
}

// does asserts what the keeper has changed since the last call.
func (k *keeping) does(t *testing.T, what string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, k.tree.took()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// becomes changes the node from outside and fires its watches.
func (k *keeping) becomes(exists bool, owner int64) {
	k.tree.change(func() { k.tree.exists, k.tree.owner = exists, owner }, zk.Event{Type: zk.EventNodeDataChanged})
}

func TestNodeIsKeptWhileItIsWanted(t *testing.T) {
	keep(t, &nodeTree{}, func(k *keeping) {
		k.does(t, "nothing is wanted")
		k.want(&node{name: "a"})
		k.does(t, "it is wanted", "create parent /web", "create")
		after(2 * defaultSafetyReread)
		k.does(t, "it is there")
		k.becomes(false, 0)
		k.does(t, "somebody deleted it", "create")
		k.want(nil)
		k.does(t, "it is not wanted any more", "delete")
		after(2 * defaultSafetyReread)
		k.does(t, "it is gone")
		if !slices.Equal(slices.Compact(k.reports), []bool{true, false}) {
			t.Errorf("reports %v", k.reports)
		}
	})
}

// The fast restart: the node of the session before is replaced before that session
// expires, so that the name is never missing and the expiry deletes nothing.
func TestNodeOfAnEarlierSessionIsReplaced(t *testing.T) {
	keep(t, &nodeTree{parent: true, exists: true, owner: 3}, func(k *keeping) {
		k.want(&node{name: "a"})
		k.does(t, "an earlier session owns it", "replace")
	})
}

func TestRegistrarsDoNotTakeTheNodeFromEachOther(t *testing.T) {
	keep(t, &nodeTree{parent: true}, func(k *keeping) {
		k.want(&node{name: "a"})
		k.does(t, "it is wanted", "create")
		for range 3 {
			k.becomes(true, 9)
			after(2 * defaultSafetyReread)
			k.does(t, "another registrar has taken it")
		}
		if n := strings.Count(k.said.String(), "another registrar registers the same address"); n < 2 || n > 7 { // at first, and once a minute
			t.Errorf("logged %d times:\n%s", n, k.said.String())
		}
		k.want(nil)
		k.does(t, "the node of another session is not deleted")
		if last := k.reports[len(k.reports)-1]; last {
			t.Error("it is not reported as gone")
		}
		k.want(&node{name: "a"})
		k.does(t, "it is still another registrar's")
		k.becomes(false, 0)
		k.does(t, "the other one has deregistered", "create")
	})
}

func TestPersistentNodeIsLeftAlone(t *testing.T) {
	keep(t, &nodeTree{parent: true, exists: true}, func(k *keeping) {
		k.want(&node{name: "a"})
		after(2 * defaultSafetyReread)
		k.does(t, "somebody created it by hand")
		if !strings.Contains(k.said.String(), "not ephemeral") {
			t.Errorf("it said: %s", k.said.String())
		}
		k.becomes(false, 0)
		k.does(t, "it was deleted", "create")
	})
}

func TestNodeIsCreatedAgainByTheNextSession(t *testing.T) {
	keep(t, &nodeTree{parent: true}, func(k *keeping) {
		k.want(&node{name: "a"})
		k.does(t, "it is wanted", "create")
		after(stable)
		k.links.lose(k.changed, "expired")
		k.becomes(false, 0)
		k.does(t, "there is no connection")
		k.tree.changeSilently(func() { k.tree.session = 8 })
		k.links.establish("zk:2181", 8, nil)
		k.does(t, "there is another session", "create")
	})
}

// A session that the server still keeps while the next one is there is this registrar's.
func TestNodeOfOneOfItsOwnSessionsIsReplaced(t *testing.T) {
	keep(t, &nodeTree{parent: true}, func(k *keeping) {
		k.want(&node{name: "a"})
		k.does(t, "it is wanted", "create")
		k.links.lose(k.changed, "rejected")
		k.tree.changeSilently(func() { k.tree.session = 8 })
		k.links.establish("zk:2181", 8, nil)
		k.does(t, "there is another session", "replace")
	})
}

func TestDeniedRegistrationIsRetriedAndLoggedOnce(t *testing.T) {
	keep(t, &nodeTree{parent: true, denies: true}, func(k *keeping) {
		k.want(&node{name: "a"})
		after(3 * retryDenied)
		if n := strings.Count(k.said.String(), "cannot change the registration"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, k.said.String())
		}
		k.tree.changeSilently(func() { k.tree.denies = false })
		after(2 * retryDenied)
		k.does(t, "it was granted", "create")
	})
}

func TestAccessOfCreatedNodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		access Access
		auth   string
		want   string
	}{
		{Readable, "", "world"},
		{Owner, "", "world"},
		{Open, "a:b", "world"},
		{Owner, "a:b", "auth"},
		{Readable, "a:b", "auth world"},
	} {
		var schemes []string
		for _, acl := range tt.access.acl(tt.auth) {
			schemes = append(schemes, acl.Scheme)
			if acl.Scheme == "world" && len(tt.want) > len("world") && acl.Perms != zk.PermRead {
				t.Errorf("%s: everybody may do %b", tt.access, acl.Perms)
			}
		}
		if got := strings.Join(schemes, " "); got != tt.want {
			t.Errorf("%s with %q: %s, want %s", tt.access, tt.auth, got, tt.want)
		}
	}
}

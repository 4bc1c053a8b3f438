package syncer

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/resolve"
	"github.com/haproxy-zk/haproxy-zk/retry"
)

// fakeTree is one path and its watches.
type fakeTree struct {
	mu      sync.Mutex
	names   []string
	missing bool
	err     error
	appears bool // right after the next answer that it is missing
	watches []chan zk.Event
	asked   []string
	takes   time.Duration // an answer to childrenW
}

func (f *fakeTree) Children(string) ([]string, *zk.Stat, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, "children")
	return f.children()
}

func (f *fakeTree) ChildrenW(string) ([]string, *zk.Stat, <-chan zk.Event, error) {
	var takes time.Duration
	f.changeSilently(func() { takes = f.takes })
	<-time.After(takes) // the bubble's clock
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, "childrenW")
	names, _, err := f.children()
	if err != nil {
		return nil, nil, nil, err
	}
	return names, nil, f.watch(), nil
}

func (f *fakeTree) Exists(string) (bool, *zk.Stat, error) {
	return true, &zk.Stat{EphemeralOwner: 1}, nil
}

func (f *fakeTree) Get(string) ([]byte, *zk.Stat, error) { return nil, nil, zk.ErrNoNode }

func (f *fakeTree) GetW(string) ([]byte, *zk.Stat, <-chan zk.Event, error) {
	return nil, nil, nil, zk.ErrNoNode
}

func (f *fakeTree) Create(string, []byte, int32, []zk.ACL) (string, error) {
	return "", zk.ErrNoAuth
}

func (f *fakeTree) Delete(string, int32) error { return zk.ErrNoAuth }

func (f *fakeTree) Multi(...any) ([]zk.MultiResponse, error) { return nil, zk.ErrNoAuth }

func (f *fakeTree) ExistsW(string) (bool, *zk.Stat, <-chan zk.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, "existsW")
	if f.err != nil {
		return false, nil, nil, f.err
	}
	return !f.missing, nil, f.watch(), nil
}

func (f *fakeTree) children() ([]string, *zk.Stat, error) {
	switch {
	case f.err != nil:
		return nil, nil, f.err
	case f.missing:
		f.missing = !f.appears
		return nil, nil, zk.ErrNoNode
	}
	return slices.Clone(f.names), nil, nil
}

func (f *fakeTree) watch() <-chan zk.Event {
	watch := make(chan zk.Event, 1)
	f.watches = append(f.watches, watch)
	return watch
}

// change changes the tree and then fires the watches with an event.
func (f *fakeTree) change(change func(), event zk.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	for _, watch := range f.watches {
		watch <- event
		close(watch)
	}
	f.watches = nil
}

// changeSilently changes the tree without firing watches.
func (f *fakeTree) changeSilently(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeTree) forget() (asked []string) {
	f.changeSilently(func() { asked, f.asked = f.asked, nil })
	return asked
}

// rig runs one group with a fake tree in a synctest bubble.
type rig struct {
	*testing.T
	tree  *fakeTree
	links *links
	group *groupFollower
	got   []registry.Group
	since time.Time // of the last
	end   func()
}

func (r *rig) SetGroup(g registry.Group) {
	r.tree.changeSilently(func() { r.got, r.since = append(r.got, g), g.Since })
}

func (r *rig) SetGroups(d registry.Discovered) {
	r.Errorf("nothing is discovered here, but %v came", d.Names)
}

func newRig(t *testing.T, tree *fakeTree) *rig {
	r := &rig{T: t, tree: tree, links: &links{link: newLink()}}
	counters := NewMetrics(prometheus.NewRegistry()).add("p", &status{}, &intake.Notes{})
	silent := slog.New(slog.DiscardHandler)
	n := newNote("web", "/web", silent)
	o := &owners{inspector: newInspector(false), path: "/web", note: n}
	p := newPayloads("/web", decode.Decoder{}, make(chan struct{}, maxReads))
	hosts := resolve.New(resolve.Options{}).Follow(func() {})
	r.group = &groupFollower{
		path: "/web", deliver: (&instances{group: "web", sink: r, payloads: p, hosts: hosts, note: n, owners: o}).deliver,
		payloads: p, data: &dataEvents{}, ended: func() {},
		unchanged: o.unchanged, owners: o, note: n, notes: &intake.Notes{}, missingPath: newMissingPath("", ""),
		status: &status{}, reads: counters.reads, delays: counters.delays, log: silent,
		safety: time.Minute, begun: time.Now(), followed: new(atomic.Int64), retry: retry.Backoff(retryMin, retryMax),
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.group.run(ctx, tree, r.links)
	}()
	r.end = func() {
		cancel()
		<-done
	}
	return r
}

// expect waits until the bubble is idle and compares what was delivered and requested
// since the last call.
func (r *rig) expect(asked string, want ...registry.Group) {
	r.Helper()
	synctest.Wait()
	var got []registry.Group
	r.tree.changeSilently(func() { got, r.got = r.got, nil })
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b registry.Instance) bool { return a == b }), cmpopts.IgnoreFields(registry.Group{}, "Since")); diff != "" {
		r.Errorf("delivered: %s", diff)
	}
	if diff := cmp.Diff(asked, strings.Join(r.tree.forget(), " ")); diff != "" {
		r.Errorf("asked: %s", diff)
	}
}

func web(skipped int, names ...string) registry.Group {
	instances := make([]registry.Instance, 0, len(names))
	for _, name := range names {
		if i, err := decode.Address(name); err == nil {
			instances = append(instances, i)
		}
	}
	return registry.Group{Name: "web", Instances: registry.Sort(instances), Skipped: skipped}
}

func TestGroupFollowsItsPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &fakeTree{missing: true}
		r := newRig(t, tree)
		defer r.end()
		r.expect("")

		r.links.establish("zk:2181", 1, nil)
		r.expect("childrenW existsW", web(0))

		tree.change(func() { tree.missing, tree.names = false, []string{"10.0.0.2:80", "odd", "10.0.0.1:80"} },
			zk.Event{Type: zk.EventNodeCreated})
		r.expect("childrenW", web(1, "10.0.0.1:80", "10.0.0.2:80"))

		tree.change(func() { tree.names = []string{"10.0.0.1:80", "10.0.0.1:080", "strange", "10.0.0.2:80"} },
			zk.Event{Type: zk.EventNodeChildrenChanged})
		r.expect("childrenW")

		tree.change(func() { tree.names = nil }, zk.Event{Type: zk.EventNodeChildrenChanged})
		r.expect("childrenW", web(0))

		tree.change(func() { tree.missing = true }, zk.Event{Type: zk.EventNodeDeleted})
		r.expect("childrenW existsW")

		// The path appears between the two requests.
		tree.change(func() { tree.appears, tree.names = true, []string{"10.0.0.3:80"} },
			zk.Event{Type: zk.EventNodeCreated})
		r.expect("childrenW existsW childrenW", web(0, "10.0.0.3:80"))
	})
}

func TestGroupReportsEarliestTimeOfChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &fakeTree{names: []string{"10.0.0.1:80"}}
		r := newRig(t, tree)
		defer r.end()
		since := func(what string, want time.Time) {
			t.Helper()
			synctest.Wait()
			r.tree.changeSilently(func() {
				if !r.since.Equal(want) {
					t.Errorf("%s: since %v, want %v", what, r.since, want)
				}
			})
		}
		r.links.establish("zk:2181", 1, nil)
		<-time.After(time.Second)
		since("the first list", time.Time{})

		changed := zk.Event{Type: zk.EventNodeChildrenChanged}
		tree.change(func() { tree.names, tree.takes = []string{"10.0.0.2:80"}, 3*time.Second }, changed)
		begun := time.Now()
		<-time.After(4 * time.Second)
		since("a slow answer", begun)

		tree.changeSilently(func() { tree.takes = 0 })
		heard := time.Now()
		<-time.After(5 * time.Second)
		r.links.lose(heard, "")
		<-time.After(time.Minute)
		r.links.establish("zk:2181", 1, nil)
		tree.change(func() { tree.names = []string{"10.0.0.3:80"} }, changed)
		since("a connection that was lost", heard)

		<-time.After(r.group.safety / 3)
		asked := time.Now().Add(-r.group.safety / 3)
		tree.changeSilently(func() { tree.names = []string{"10.0.0.4:80"} })
		<-time.After(2 * r.group.safety)
		since("a watch that is silent", asked)
	})
}

func TestGroupAcrossReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &fakeTree{names: []string{"10.0.0.1:80"}}
		r := newRig(t, tree)
		defer r.end()
		r.links.establish("zk:2181", 1, nil)
		r.expect("childrenW", web(0, "10.0.0.1:80"))

		// The session and its watch survive.
		r.links.lose(time.Now(), "")
		<-time.After(time.Hour) // the bubble's clock
		r.expect("")
		r.links.establish("zk:2181", 1, nil)
		<-time.After(r.group.safety / 3)
		r.expect("")
		tree.change(func() { tree.names = []string{"10.0.0.3:80"} }, zk.Event{Type: zk.EventNodeChildrenChanged})
		r.expect("childrenW", web(0, "10.0.0.3:80"))

		// It expires: the watch says so while there is no link.
		r.links.lose(time.Now(), "")
		tree.change(func() { tree.names = []string{"10.0.0.2:80"} },
			zk.Event{Type: zk.EventNotWatching, Err: zk.ErrSessionExpired})
		r.expect("")
		r.links.establish("zk:2181", 2, nil)
		<-time.After(spread(1))
		r.expect("childrenW", web(0, "10.0.0.2:80"))
	})
}

func TestGroupKeepsListWhenReadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &fakeTree{names: []string{"10.0.0.1:80"}}
		r := newRig(t, tree)
		defer r.end()
		r.links.establish("zk:2181", 1, nil)
		r.expect("childrenW", web(0, "10.0.0.1:80"))

		tree.change(func() { tree.err, tree.names = zk.ErrNoAuth, nil }, zk.Event{Type: zk.EventNodeChildrenChanged})
		<-time.After(time.Minute) // the bubble's clock
		if n := len(tree.forget()); n < 4 || n > 13 {
			t.Errorf("asked %d times in a minute without permission", n)
		}

		tree.changeSilently(func() { tree.err = zk.ErrInvalidPath })
		<-time.After(time.Minute)
		if n := len(tree.forget()); n < 8 || n > 40 {
			t.Errorf("asked %d times in a minute of errors", n)
		}
		r.expect("")

		tree.changeSilently(func() { tree.err = nil })
		<-time.After(2 * retryMax)
		r.expect("childrenW", web(0))
	})
}

func TestGroupRereadsWithoutWatchEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &fakeTree{names: []string{"10.0.0.1:80"}}
		r := newRig(t, tree)
		defer r.end()
		r.links.establish("zk:2181", 1, nil)
		r.expect("childrenW", web(0, "10.0.0.1:80"))

		<-time.After(10 * time.Minute) // the bubble's clock
		if asked := tree.forget(); len(asked) < 6 || len(asked) > 20 || slices.Contains(asked, "childrenW") {
			t.Errorf("asked %v in ten minutes", asked)
		}

		// A watch was lost.
		tree.changeSilently(func() { tree.names = []string{"10.0.0.2:80"} })
		<-time.After(2 * time.Minute)
		if diff := cmp.Diff([]string{"children", "childrenW"}, tree.forget()[:2]); diff != "" {
			t.Error(diff)
		}
		r.expect("", web(0, "10.0.0.2:80"))

		tree.change(func() { tree.names = nil }, zk.Event{Type: zk.EventNodeChildrenChanged})
		r.expect("childrenW", web(0))
	})
}

func TestSpread(t *testing.T) {
	for groups, want := range map[int64]time.Duration{0: 0, 5: 10 * time.Millisecond, 250: spreadMax, 5000: spreadMax} {
		if got := spread(groups); got != want {
			t.Errorf("spread(%d) = %v, want %v", groups, got, want)
		}
	}
}

func TestWatchListOfUnsteadyPath(t *testing.T) {
	tree := &unsteadyTree{}
	if _, err := watchList(tree, "/web"); err == nil || tree.asked != maxTurns {
		t.Errorf("%v after %d turns", err, tree.asked)
	}
}

// unsteadyTree has a path that exists except when its children are read.
type unsteadyTree struct {
	fakeTree
	asked int
}

func (u *unsteadyTree) ChildrenW(string) ([]string, *zk.Stat, <-chan zk.Event, error) {
	u.asked++
	return nil, nil, nil, zk.ErrNoNode
}

// What a thousand groups are asked for while nothing changes is bounded.
func TestSafetyReadsOfManyGroupsAreBounded(t *testing.T) {
	for groups, want := range map[int64]time.Duration{1: time.Minute, 200: time.Minute, 1000: 250 * time.Second, 5000: 5 * time.Minute} {
		g := &groupFollower{safety: time.Minute, begun: time.Now(), followed: new(atomic.Int64)}
		g.followed.Store(groups)
		const draws = 10_000
		var sum time.Duration
		for range draws {
			sum += g.nextSafety()
		}
		if mean := sum / draws; (mean - want).Abs() > want/20+g.safety/safetyBeats {
			t.Errorf("%d groups: a group is read every %v on average, want %v", groups, mean, want)
		}
	}
}

package state

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// sink records its input as text.
type sink struct {
	mu  sync.Mutex
	got []string
}

func (s *sink) SetGroup(g registry.Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprint(g.Name, g.Instances)
	if g.Recalled {
		text += " recalled"
	}
	s.got = append(s.got, text)
}

func (s *sink) SetGroups(d registry.Discovered) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprint(d.Names)
	if d.Recalled {
		text += " recalled"
	}
	s.got = append(s.got, text)
}

func (s *sink) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

func decode(text string) (registry.Instance, error) {
	addr, err := netip.ParseAddrPort(text)
	return registry.Instance{Addr: addr}, err
}

func group(name string, instances ...string) registry.Group {
	g := registry.Group{Name: name}
	for _, text := range instances {
		g.Instances = append(g.Instances, registry.Instance{Addr: netip.MustParseAddrPort(text)})
	}
	return g
}

func newKeeper(dir string) (*Keeper, *sink) {
	s := &sink{}
	return New(Options{
		Dir: dir, Proxy: "web", Source: registry.ZooKeeper, Origins: []string{"zk1:2181", "zk2:2181"}, Discovers: true, Decode: decode, Sink: s,
		Path:    func(group string) string { return "/services/" + group },
		Written: func(group string) bool { return group == "fixed" },
		Logger:  slog.New(slog.DiscardHandler),
		Metrics: NewMetrics(prometheus.NewRegistry()),
	}), s
}

// kept returns the file that a keeper writes after do.
func kept(t *testing.T, dir string, do func(*Keeper)) {
	t.Helper()
	k, _ := newKeeper(dir)
	do(k)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k.Run(ctx)
}

func loaded(dir string) (*Keeper, *sink) {
	k, s := newKeeper(dir)
	k.Load()
	return k, s
}

// A list that arrives after its group was removed must not be cached: it would be
// recalled by every start.
func TestListOfRemovedGroupIsNotCached(t *testing.T) {
	dir := t.TempDir()
	kept(t, dir, func(k *Keeper) {
		k.SetGroups(registry.Discovered{Names: []string{"a", "b"}})
		k.SetGroup(group("a", "10.0.0.1:80"))
		k.SetGroups(registry.Discovered{Names: []string{"b"}})
		for _, name := range []string{"a", "b", "fixed"} {
			k.SetGroup(group(name, "10.0.0.2:80"))
		}
	})
	k, s := loaded(dir)
	k.Recall()
	if diff := cmp.Diff([]string{"[b] recalled", "b[10.0.0.2:80] recalled", "fixed[10.0.0.2:80] recalled"}, s.take()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// The same applies to a group removed from the configuration.
func TestGroupRemovedFromConfigurationIsNotCached(t *testing.T) {
	dir := t.TempDir()
	kept(t, dir, func(k *Keeper) {
		k.SetGroups(registry.Discovered{Names: []string{"a"}})
		k.SetGroup(group("a", "10.0.0.1:80"))
		k.SetGroup(group("fixed", "10.0.0.2:80"))
	})
	k, s := newKeeper(dir)
	k.Written = func(string) bool { return false }
	k.Load()
	k.Recall()
	s.take()
	k.SetGroups(registry.Discovered{Names: []string{"a"}})
	k.SetGroup(group("a", "10.0.0.3:80"))
	k.Recall()
	if diff := cmp.Diff([]string{"[a]", "a[10.0.0.3:80]"}, s.take()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if recalled := k.Recalled(); len(recalled) > 0 {
		t.Errorf("for good from the file: %v", recalled)
	}
}

func TestKeeperAcrossRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	kept(t, dir, func(k *Keeper) {
		k.SetGroups(registry.Discovered{Names: []string{"a", "b", "gone"}})
		k.SetGroup(group("a", "10.0.0.1:80", "[2001:db8::1]:80"))
		k.SetGroup(group("b"))
		k.SetGroup(group("gone", "10.0.0.9:80"))
		k.SetGroup(group("fixed", "10.0.0.5:80"))
		k.SetGroups(registry.Discovered{Names: []string{"a", "b"}})
	})
	info, err := os.Stat(filepath.Join(dir, "web.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
		t.Errorf("beside it: %v %v", all, err)
	}

	k, s := loaded(dir)
	if got := s.take(); got != nil {
		t.Errorf("handed over before it was asked for: %q", got)
	}
	// One list is there before, and an old one does not take its place.
	k.SetGroup(group("fixed", "10.0.0.6:80"))
	k.Recall()
	want := []string{"fixed[10.0.0.6:80]", "[a b] recalled", "a[10.0.0.1:80 [2001:db8::1]:80] recalled", "b[] recalled"}
	if diff := cmp.Diff(want, s.take()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, k.Recalled()); diff != "" {
		t.Errorf("recalled: -want +got:\n%s", diff)
	}
	k.SetGroups(registry.Discovered{Names: []string{"a"}})
	k.SetGroup(group("a", "10.0.0.2:80"))
	if diff := cmp.Diff([]string{"[a]", "a[10.0.0.2:80]"}, s.take()); diff != "" || len(k.Recalled()) > 0 {
		t.Errorf("%q still recalled; -want +got:\n%s", k.Recalled(), diff)
	}

	// What was not heard again is kept for the next start as well.
	kept(t, dir, func(k *Keeper) {
		k.Load()
		k.SetGroup(group("a", "10.0.0.3:80"))
	})
	k, s = loaded(dir)
	k.Recall()
	if got := s.take(); !slices.Contains(got, "a[10.0.0.3:80] recalled") || !slices.Contains(got, "fixed[10.0.0.5:80] recalled") {
		t.Errorf("%q", got)
	}
}

func TestUnusableFilesAreIgnored(t *testing.T) {
	dir := t.TempDir()
	kept(t, dir, func(k *Keeper) { k.SetGroup(group("a", "10.0.0.1:80")) })
	path := filepath.Join(dir, "web.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	change := func(old, now string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s has no %s", good, old)
		}
		return strings.Replace(good, old, now, 1)
	}
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"good":               {good, []string{"a[10.0.0.1:80] recalled"}},
		"empty":              {"", nil},
		"cut off":            {good[:len(good)/2], nil},
		"zeros":              {string(make([]byte, 100)), nil},
		"no object":          {"[]", nil},
		"another type":       {change(`[{"name"`, `{"name"`), nil},
		"from the future":    {change(`"version":1`, `"version":2,"more":true`), nil},
		"without a version":  {change(`"version":1`, `"v":1`), nil},
		"another proxy":      {change(`"proxy":"web"`, `"proxy":"api"`), nil},
		"another ZooKeeper":  {change(`["zk1:2181","zk2:2181"]`, `["zk9:2181"]`), nil},
		"one server remains": {change(`["zk1:2181","zk2:2181"]`, `["zk9:2181","zk2:2181"]`), []string{"a[10.0.0.1:80] recalled"}},
		"another path":       {change(`/services/a`, `/other/a`), nil},
		"odd instances":      {change(`"10.0.0.1:80"`, `"10.0.0.1:80;disable server a/a1","x","10.0.0.7:80","10.0.0.7:80"`), []string{"a[10.0.0.7:80] recalled"}},
		"too long":           {strings.Repeat(" ", maxFile) + good, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			k, s := loaded(dir)
			k.Recall()
			if diff := cmp.Diff(test.want, s.take()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFileIsWrittenOnChangeAtMostOnceASecond(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		k, _ := newKeeper(dir)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { k.Run(ctx) })
		saved := make(map[time.Time]bool)
		look := func() {
			if f, err := readFile(k.path()); err == nil {
				saved[f.Saved] = true
			}
		}
		for i := range 500 {
			k.SetGroup(group("a", fmt.Sprintf("10.0.0.1:%d", i+1)))
			<-time.After(10 * time.Millisecond) // the bubble's clock
			look()
		}
		<-time.After(2 * time.Second)
		look()
		if len(saved) < 4 || len(saved) > 7 {
			t.Errorf("%d files in 5 seconds of changes", len(saved))
		}
		<-time.After(time.Hour)
		before := len(saved)
		look()
		if len(saved) != before {
			t.Error("written although nothing has changed")
		}
		k.SetGroup(group("a", "10.0.0.1:500"))
		<-time.After(2 * time.Second)
		look()
		if len(saved) != before {
			t.Error("written although the same has come again")
		}
		// What has just come is written at the end.
		k.SetGroup(group("a", "10.0.0.1:1"))
		synctest.Wait()
		k.SetGroup(group("a", "10.0.0.1:2"))
		cancel()
		running.Wait()
		if f, err := readFile(k.path()); err != nil || f.Groups[0].Instances[0] != "10.0.0.1:2" {
			t.Errorf("%+v %v", f, err)
		}
	})
}

// A file from the future is valid: only its version matters.
func TestFileFromTheFuture(t *testing.T) {
	dir := t.TempDir()
	kept(t, dir, func(k *Keeper) { k.SetGroup(group("a", "10.0.0.1:80")) })
	path := filepath.Join(dir, "web.json")
	f, err := readFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Saved = time.Now().Add(time.Hour)
	if err := f.write(path); err != nil {
		t.Fatal(err)
	}
	k, s := newKeeper(dir)
	var logged strings.Builder
	k.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	k.Load()
	k.Recall()
	if diff := cmp.Diff([]string{"a[10.0.0.1:80] recalled"}, s.take()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.Contains(logged.String(), " age=0s ") {
		t.Errorf("logged: %s", &logged)
	}
	k.SetGroup(group("a", "10.0.0.2:80"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k.Run(ctx)
	if f, err := readFile(path); err != nil || f.Groups[0].Instances[0] != "10.0.0.2:80" {
		t.Errorf("%+v %v", f, err)
	}
}

func TestUnwritableDirectoryIsLoggedOnce(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(parent, nil, 0o600); err != nil { // a file where a directory should be
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		k, s := newKeeper(parent)
		var logged strings.Builder
		k.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		k.Load()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { k.Run(ctx) })
		for i := range 20 {
			k.SetGroup(group("a", fmt.Sprintf("10.0.0.1:%d", i+1)))
			<-time.After(time.Second) // the bubble's clock
		}
		if len(s.take()) != 20 {
			t.Error("the sink has not got everything")
		}
		if err := os.Remove(parent); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * retryEvery)
		cancel()
		running.Wait()
		if f, err := readFile(k.path()); err != nil || f.Groups[0].Instances[0] != "10.0.0.1:20" {
			t.Errorf("%+v %v", f, err)
		}
		if n := strings.Count(logged.String(), "cannot write the registration cache"); n != 1 || !strings.Contains(logged.String(), "registration cache is written again") {
			t.Errorf("logged %d times:\n%s", n, logged.String())
		}
	})
}

// A hundred thousand nodes with invalid names do not slow anything down.
func TestManyInvalidNames(t *testing.T) {
	k, _ := newKeeper(t.TempDir())
	k.Path = func(group string) string {
		if strings.Contains(group, ";") {
			return ""
		}
		return "/services/" + group
	}
	names := []string{"a"}
	for i := range 100_000 {
		names = append(names, fmt.Sprintf("%d;disable", i))
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 10 {
			k.SetGroups(registry.Discovered{Names: names})
			slices.Reverse(names)
		}
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("they are compared each with each")
	}
	if diff := cmp.Diff([]string{"a"}, k.contents().Discovered); diff != "" {
		t.Errorf("kept: -want +got\n%s", diff)
	}
}

func TestNamesKnownLongestStayFirstAcrossRestart(t *testing.T) {
	dir := t.TempDir()
	kept(t, dir, func(k *Keeper) {
		k.SetGroups(registry.Discovered{Names: []string{"shop"}})
		k.SetGroups(registry.Discovered{Names: []string{"SHOP", "shop"}})
	})
	names := func(k *Keeper) []string {
		k.mu.Lock()
		defer k.mu.Unlock()
		return slices.Clone(k.discovered)
	}
	k, _ := loaded(dir)
	k.SetGroups(registry.Discovered{Names: []string{"SHOP", "Shop", "shop"}})
	if got := names(k); !slices.Equal(got, []string{"shop", "SHOP", "Shop"}) {
		t.Errorf("after a restart: %q", got)
	}
	next, _ := newKeeper(dir)
	next.Follow(k)
	next.SetGroups(registry.Discovered{Names: []string{"SHOP", "shop"}})
	if got := names(next); !slices.Equal(got, []string{"shop", "SHOP"}) {
		t.Errorf("after a change of the configuration: %q", got)
	}
}

func TestUnchangedListIsNotEncodedAgain(t *testing.T) {
	k, _ := newKeeper(t.TempDir())
	k.SetGroup(group("large", "10.0.0.1:80", "10.0.0.2:80"))
	k.SetGroup(group("web", "10.0.0.3:80"))
	first := k.contents()
	k.SetGroup(group("web", "10.0.0.4:80"))
	second := k.contents()
	if &first.Groups[0].Instances[0] != &second.Groups[0].Instances[0] {
		t.Error("a list was made again although only another one changed")
	}
	if got := second.Groups[1].Instances; !slices.Equal(got, []string{"10.0.0.4:80"}) {
		t.Errorf("the one that changed is %q", got)
	}
}

func TestTermsAreCachedAndKnownAsEarlier(t *testing.T) {
	one := registry.Instance{Addr: netip.MustParseAddrPort("10.0.0.1:80")}
	f := file{Version: version, Proxy: "p", Groups: []list{{Name: "a", Instances: []string{"10.0.0.1:80"}, Terms: textTerms(map[registry.Instance]registry.Terms{one: {Weight: 30}})}}}
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	again, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	decoded := again.Groups[0].group(func(text string) (registry.Instance, error) {
		addr, err := netip.ParseAddrPort(text)
		return registry.Instance{Addr: addr}, err
	})
	if decoded.Terms[one].Weight != 30 {
		t.Errorf("the terms are %v", decoded.Terms)
	}
}

func TestSourcesOfAProxyHaveTheirOwnFiles(t *testing.T) {
	dir := t.TempDir()
	of := func(source registry.SourceKind, origin string) (*Keeper, *sink) {
		k, s := newKeeper(dir)
		k.Source, k.Origins = source, []string{origin}
		return k, s
	}
	for source, origin := range map[registry.SourceKind]string{registry.ZooKeeper: "zk1:2181", registry.Directory: "/srv"} {
		k, _ := of(source, origin)
		k.SetGroups(registry.Discovered{Names: []string{"a"}})
		k.SetGroup(group("a", map[registry.SourceKind]string{registry.ZooKeeper: "10.0.0.1:80", registry.Directory: "10.0.0.2:80"}[source]))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		k.Run(ctx)
	}
	k, s := of(registry.Directory, "/srv")
	k.Load()
	k.Recall()
	if diff := cmp.Diff([]string{"[a] recalled", "a[10.0.0.2:80] recalled"}, s.take()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if !k.Knows([]string{"/srv"}) || k.Knows([]string{"/srv2"}) {
		t.Error("it does not know of which directory its instances are")
	}
	k, s = of(registry.Directory, "/srv2")
	k.Load()
	k.Recall()
	if got := s.take(); len(got) > 0 || k.Knows([]string{"/srv2"}) {
		t.Errorf("recalled from another directory: %v", got)
	}
}

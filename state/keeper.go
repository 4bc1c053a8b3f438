package state

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/retry"
	"github.com/haproxy-zk/haproxy-zk/streak"
)

const (
	// writeEvery is the shortest interval between two writes. Since each writes the whole
	// file, the pause is also at least restPart times as long as a write takes.
	writeEvery = time.Second
	restPart   = 20
	// A failed write is retried after retryFirst, and then at least every retryEvery.
	retryFirst = time.Second
	retryEvery = 30 * time.Second
	// maxNamed bounds the groups named in one log line.
	maxNamed = 10
)

// Sink receives the registered groups. Its methods do not block.
type Sink interface {
	SetGroup(registry.Group)
	SetGroups(registry.Discovered)
}

// Options of a [Keeper].
type Options struct {
	// Dir is the directory of the files; it is created if missing.
	Dir string
	// Proxy is the proxy's name, without slashes.
	Proxy string
	// Source is where the lists come from. Each source of a proxy has its own file.
	Source registry.SourceKind
	// Origins identify the source: ZooKeeper's servers, or the directory. Lists of another
	// one, which has none of them, are not recalled.
	Origins []string
	// Path returns where a group is registered, including the chroot; "" for a group that
	// is not the proxy's, and for an invalid name.
	Path func(group string) string
	// Written reports whether a group is written out in the configuration.
	Written func(group string) bool
	// Discovers is true if groups are discovered.
	Discovers bool
	// Decode decodes an instance.
	Decode  func(string) (registry.Instance, error)
	Sink    Sink
	Logger  *slog.Logger
	Metrics *Metrics
	// Remedy returns the advice for a file that cannot be written; nil is no advice.
	Remedy func(error) string
}

// Keeper passes registered groups on to a sink and caches them in a file. Any goroutine
// may call its methods.
type Keeper struct {
	Options

	dirty chan struct{} // receives a token when there is something to write

	mu         sync.Mutex
	groups     map[string]registry.Group // content of the next file
	texts      map[string][]string       // encoded instances of groups unchanged since the last write
	discovered []string                  // nil: not listed yet
	current    map[string]bool           // discovered groups received since the start; nil: none received
	saved      time.Time                 // time of the loaded file
	// received are the groups received since the start, recalled those passed on from the
	// file.
	received, recalled map[string]bool
}

// New returns a keeper without groups; it does not write before Run.
func New(o Options) *Keeper {
	if o.Remedy == nil {
		o.Remedy = func(error) string { return "" }
	}
	return &Keeper{
		Options: o, dirty: make(chan struct{}, 1),
		groups: make(map[string]registry.Group), texts: make(map[string][]string), received: make(map[string]bool), recalled: make(map[string]bool),
	}
}

// path returns the file. No proxy's name makes two of them the same.
func (k *Keeper) path() string {
	if k.Source == registry.Directory {
		return filepath.Join(k.Dir, k.Proxy+".directory")
	}
	return filepath.Join(k.Dir, k.Proxy+".json")
}

// Load reads the file of the previous process. A missing file is normal; an unusable one
// is logged and ignored. Call it before anything is passed on.
func (k *Keeper) Load() {
	f, err := readFile(k.path())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = f.mismatch(k.Proxy, k.Origins)
	}
	if err != nil {
		k.Logger.Warn("ignoring the registration cache; a start without its source will serve nothing", "source", string(k.Source), "file", k.path(), "problem", err)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.saved = f.Saved
	if k.Discovers {
		k.discovered = slices.DeleteFunc(f.Discovered, k.invalidName)
	}
	var foreign []string
	for _, l := range f.Groups {
		if path := k.Path(l.Name); path == "" || path != l.Path {
			foreign = append(foreign, l.Name)
			continue
		}
		k.groups[l.Name] = l.group(k.Decode)
	}
	if len(foreign) > 0 {
		k.Logger.Warn("ignoring cached groups that are now registered elsewhere", "file", k.path(), "count", len(foreign), "groups", foreign[:min(len(foreign), maxNamed)])
	}
}

// Knows reports whether any instance of a source is known, received or from the file.
func (k *Keeper) Knows(origins []string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, g := range k.groups {
		if len(g.Instances) > 0 {
			return slices.Equal(k.Origins, origins)
		}
	}
	return false
}

// Follow copies from the proxy's previous keeper which names have been known longest.
// Call it before anything is passed on.
func (k *Keeper) Follow(before *Keeper) {
	before.mu.Lock()
	known := slices.Clone(before.discovered)
	before.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Discovers {
		k.discovered = slices.DeleteFunc(known, k.invalidName)
	}
}

// Recall passes on the loaded groups that have not been received since.
func (k *Keeper) Recall() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Discovers && k.current == nil && k.discovered != nil {
		k.Sink.SetGroups(registry.Discovered{Names: slices.Clone(k.discovered), Recalled: true})
	}
	for _, name := range slices.Sorted(maps.Keys(k.groups)) {
		if k.received[name] {
			continue
		}
		k.recalled[name] = true
		g := k.groups[name]
		g.Recalled, g.Earlier = true, g.Terms
		k.deliver(g)
	}
	if len(k.recalled) > 0 {
		k.Logger.Warn("cannot read the registrations yet, serving cached ones",
			"source", string(k.Source), "saved", k.saved, "age", max(0, time.Since(k.saved)).Round(time.Second), "groups", len(k.recalled))
	}
}

// Recalled returns the sorted names of the groups whose lists are from the file and have
// not been received since.
func (k *Keeper) Recalled() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.recalled))
}

// SetGroup passes a group on and schedules a write. The sink gets its own list.
func (k *Keeper) SetGroup(g registry.Group) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current != nil && !k.current[g.Name] && !k.Written(g.Name) {
		return // read before the group was removed
	}
	if !k.received[g.Name] {
		g.Earlier = k.groups[g.Name].Terms
	}
	k.groups[g.Name] = g
	delete(k.texts, g.Name)
	k.received[g.Name] = true
	delete(k.recalled, g.Name)
	k.deliver(g)
	k.markDirty()
}

// SetGroups passes on which groups are discovered, and forgets the others.
func (k *Keeper) SetGroups(d registry.Discovered) {
	k.mu.Lock()
	defer k.mu.Unlock()
	listed := make(map[string]bool, len(d.Names)) // there may be a hundred thousand
	for _, name := range d.Names {
		listed[name] = true
	}
	for name := range k.groups { // including groups no longer in the configuration
		if !listed[name] && !k.Written(name) {
			delete(k.groups, name)
			delete(k.texts, name)
			delete(k.recalled, name)
			delete(k.received, name)
		}
	}
	d.Names = k.inOrder(d.Names, listed)
	k.discovered = slices.DeleteFunc(append([]string{}, d.Names...), k.invalidName)
	k.current = make(map[string]bool, len(k.discovered))
	for _, name := range k.discovered {
		k.current[name] = true
	}
	k.Sink.SetGroups(d)
	k.markDirty()
}

// inOrder returns names, all of which are listed, with the previously known ones first:
// of two groups that cannot both be served, the one known longest is, also after a
// restart.
func (k *Keeper) inOrder(names []string, listed map[string]bool) []string {
	known := make(map[string]bool, len(k.discovered))
	ordered := make([]string, 0, len(names))
	for _, name := range k.discovered {
		if known[name] = listed[name]; listed[name] {
			ordered = append(ordered, name)
		}
	}
	for _, name := range names {
		if !known[name] {
			ordered = append(ordered, name)
		}
	}
	return ordered
}

// invalidName reports whether a name cannot be that of a group, so that it is not kept.
func (k *Keeper) invalidName(name string) bool { return k.Path(name) == "" }

func (k *Keeper) deliver(g registry.Group) {
	g.Instances = slices.Clone(g.Instances)
	k.Sink.SetGroup(g)
}

func (k *Keeper) markDirty() {
	select {
	case k.dirty <- struct{}{}:
	default:
	}
}

// Run writes changes, at most once a second, until ctx is done; then it writes what is
// still unwritten and returns.
func (k *Keeper) Run(ctx context.Context) {
	k.Metrics.addProxy(k.Proxy)
	defer k.Metrics.removeProxy(k.Proxy)
	var failing streak.Streak
	var last file
	pause := retry.Backoff(retryFirst, retryEvery)
	again := time.NewTimer(retryEvery)
	defer again.Stop()
	again.Stop()
	for {
		select {
		case <-k.dirty:
		case <-again.C:
		case <-ctx.Done():
			select {
			case <-k.dirty:
				k.write(&last, &failing)
			default:
			}
			return
		}
		began := time.Now()
		k.write(&last, &failing)
		again.Stop()
		if failing.Failing() {
			again.Reset(pause.NextBackOff())
		} else {
			pause.Reset()
		}
		rest := time.NewTimer(max(writeEvery, restPart*time.Since(began)))
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
		rest.Stop()
	}
}

// write writes the file if its content has changed, and logs failures and their end.
func (k *Keeper) write(last *file, failing *streak.Streak) {
	now := k.contents()
	if last.same(now) {
		return
	}
	err := now.write(k.path())
	k.Metrics.count(k.Proxy, err)
	if err != nil {
		*last = file{}
		if attrs, due := failing.Failed(time.Now(), err.Error()); due {
			k.Logger.With(attrs...).Warn("cannot write the registration cache; a start without its source would serve old instances or none", "source", string(k.Source), "file", k.path(), "error", err, "remedy", k.Remedy(err))
		}
		return
	}
	*last = now
	if attrs, ended := failing.Over(time.Now()); ended {
		k.Logger.With(attrs...).Info("registration cache is written again", "file", k.path())
	}
}

// textTerms returns terms by the text of their instances.
func textTerms(of map[registry.Instance]registry.Terms) map[string]terms {
	if len(of) == 0 {
		return nil
	}
	texts := make(map[string]terms, len(of))
	for i, t := range of {
		texts[i.String()] = terms{Drain: t.Drain, Weight: t.Weight}
	}
	return texts
}

func (k *Keeper) contents() file {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := file{Version: version, Proxy: k.Proxy, Origins: k.Origins, Saved: time.Now().UTC(), Discovered: k.discovered}
	for _, name := range slices.Sorted(maps.Keys(k.groups)) {
		text, known := k.texts[name]
		if !known {
			text = make([]string, 0, len(k.groups[name].Instances))
			for _, instance := range k.groups[name].Instances {
				text = append(text, instance.String())
			}
			k.texts[name] = text
		}
		f.Groups = append(f.Groups, list{Name: name, Path: k.Path(name), Instances: text, Terms: textTerms(k.groups[name].Terms)})
	}
	return f
}

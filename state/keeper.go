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

	"github.com/cenkalti/backoff/v5"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// writeEvery is the shortest time between two files.
	writeEvery = time.Second
	// A file that could not be written is tried again after retryFirst, and at
	// least every retryEvery.
	retryFirst = time.Second
	retryEvery = 30 * time.Second
	// maxNamed is how many groups one line of the log names.
	maxNamed = 10
)

// Sink takes what is registered. Its methods do not block.
type Sink interface {
	SetGroup(registry.Group)
	SetGroups(registry.Discovered)
}

// Options of a [Keeper].
type Options struct {
	// Dir is the folder of the files; it is made when it is missing.
	Dir string
	// Proxy is the proxy's name, and that of its file: a name without slashes.
	Proxy string
	// Servers are ZooKeeper's: lists of others are not recalled.
	Servers []string
	// Path is where a group is registered, the chroot included; empty for one
	// that is not the proxy's, and for what cannot be the name of one.
	Path func(group string) string
	// Written tells whether a group is written out in the configuration.
	Written func(group string) bool
	// Discovers is true when groups are.
	Discovers bool
	// Decode reads an instance.
	Decode  func(string) (registry.Instance, error)
	Sink    Sink
	Logger  *slog.Logger
	Metrics *Metrics
}

// Keeper hands what is registered on to a sink, and keeps it in a file. Its
// methods may be called from any goroutine.
type Keeper struct {
	Options

	dirty chan struct{} // takes one token when there is something to write

	mu         sync.Mutex
	groups     map[string]registry.Group // what the file is to have
	discovered []string                  // nil: not listed yet
	present    map[string]bool           // the same as they came since the start; nil: they have not
	saved      time.Time                 // of the file that was loaded
	// heard are the groups that came since the start, recalled those that the
	// sink has from the file.
	heard, recalled map[string]bool
}

// New returns a keeper that knows nothing and writes nothing yet.
func New(o Options) *Keeper {
	return &Keeper{
		Options: o, dirty: make(chan struct{}, 1),
		groups: make(map[string]registry.Group), heard: make(map[string]bool), recalled: make(map[string]bool),
	}
}

func (k *Keeper) path() string { return filepath.Join(k.Dir, k.Proxy+".json") }

// Load reads the file of the process before. One that is missing is nothing to
// tell; one that is of no use is told and left out. It is called before anything
// is handed over.
func (k *Keeper) Load() {
	f, err := readFile(k.path())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = f.foreign(k.Proxy, k.Servers)
	}
	if err != nil {
		k.Logger.Warn("what was registered last is not used, a start without zookeeper serves nothing", "file", k.path(), "problem", err)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.saved = f.Saved
	if k.Discovers {
		k.discovered = slices.DeleteFunc(f.Discovered, k.unknown)
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
		k.Logger.Warn("groups that were kept are registered elsewhere now, they are left out", "file", k.path(), "count", len(foreign), "groups", foreign[:min(len(foreign), maxNamed)])
	}
}

// Recall hands over what was loaded and has not come since.
func (k *Keeper) Recall() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Discovers && k.present == nil && k.discovered != nil {
		k.Sink.SetGroups(registry.Discovered{Names: slices.Clone(k.discovered), Recalled: true})
	}
	for _, name := range slices.Sorted(maps.Keys(k.groups)) {
		if k.heard[name] {
			continue
		}
		k.recalled[name] = true
		g := k.groups[name]
		g.Recalled = true
		k.hand(g)
	}
	if len(k.recalled) > 0 {
		k.Logger.Warn("zookeeper has not answered, serving what was registered last",
			"saved", k.saved, "age", max(0, time.Since(k.saved)).Round(time.Second), "groups", len(k.recalled))
	}
}

// Recalled names the groups, sorted, whose lists are from the file and have not
// come since.
func (k *Keeper) Recalled() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.recalled))
}

// SetGroup hands a group over and has it written. The sink gets a list of its own.
func (k *Keeper) SetGroup(g registry.Group) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.present != nil && !k.present[g.Name] && !k.Written(g.Name) {
		return // it was read before it went
	}
	k.groups[g.Name] = g
	k.heard[g.Name] = true
	delete(k.recalled, g.Name)
	k.hand(g)
	k.touch()
}

// SetGroups hands over which groups are discovered, and forgets others.
func (k *Keeper) SetGroups(d registry.Discovered) {
	k.mu.Lock()
	defer k.mu.Unlock()
	listed := make(map[string]bool, len(d.Names)) // there may be some hundred thousand
	for _, name := range d.Names {
		listed[name] = true
	}
	for name := range k.groups { // one may have been written out before
		if !listed[name] && !k.Written(name) {
			delete(k.groups, name)
			delete(k.recalled, name)
			delete(k.heard, name)
		}
	}
	k.discovered = slices.DeleteFunc(append([]string{}, d.Names...), k.unknown)
	k.present = make(map[string]bool, len(k.discovered))
	for _, name := range k.discovered {
		k.present[name] = true
	}
	k.Sink.SetGroups(d)
	k.touch()
}

// unknown tells whether a name can be no group's: it is not kept.
func (k *Keeper) unknown(name string) bool { return k.Path(name) == "" }

func (k *Keeper) hand(g registry.Group) {
	g.Instances = slices.Clone(g.Instances)
	k.Sink.SetGroup(g)
}

func (k *Keeper) touch() {
	select {
	case k.dirty <- struct{}{}:
	default:
	}
}

// Run writes what changes, at most once a second, until ctx is done; then it
// writes what is not written yet and returns.
func (k *Keeper) Run(ctx context.Context) {
	k.Metrics.add(k.Proxy)
	defer k.Metrics.forget(k.Proxy)
	var failed bool
	var last file
	pause := backoff.NewExponentialBackOff()
	// Half as much more or less is at random.
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = retryFirst, retryEvery*2/3, 2
	retry := time.NewTimer(retryEvery)
	defer retry.Stop()
	retry.Stop()
	for {
		select {
		case <-k.dirty:
		case <-retry.C:
		case <-ctx.Done():
			select {
			case <-k.dirty:
				k.write(&last, failed)
			default:
			}
			return
		}
		failed = k.write(&last, failed)
		retry.Stop()
		if failed {
			retry.Reset(pause.NextBackOff())
		} else {
			pause.Reset()
		}
		rest := time.NewTimer(writeEvery)
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
		rest.Stop()
	}
}

// write writes the file if it is to have anything else than the last one, and
// tells when that begins or ends to fail.
func (k *Keeper) write(last *file, failed bool) (fails bool) {
	now := k.contents()
	if last.same(now) {
		return false
	}
	err := now.write(k.path())
	k.Metrics.count(k.Proxy, err)
	if *last = now; err != nil {
		*last = file{}
	}
	switch {
	case err != nil && !failed:
		k.Logger.Warn("what is registered cannot be kept, a start without zookeeper would serve old lists or none", "file", k.path(), "error", err)
	case err == nil && failed:
		k.Logger.Info("what is registered is kept again", "file", k.path())
	}
	return err != nil
}

func (k *Keeper) contents() file {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := file{Version: version, Proxy: k.Proxy, Servers: k.Servers, Saved: time.Now().UTC(), Discovered: k.discovered}
	for _, name := range slices.Sorted(maps.Keys(k.groups)) {
		l := list{Name: name, Path: k.Path(name), Instances: []string{}}
		for _, instance := range k.groups[name].Instances {
			l.Instances = append(l.Instances, instance.String())
		}
		f.Groups = append(f.Groups, l)
	}
	return f
}

package files

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/fsnotify/fsnotify"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/resolve"
	"github.com/haproxy-zk/haproxy-zk/retry"
)

const (
	// defaultReread is the mean interval between reads without an event, rereadUnwatched
	// that while inotify does not watch everything.
	defaultReread   = 60 * time.Second
	rereadUnwatched = 5 * time.Second

	// maxGroups bounds the discovered groups, which other parties may create.
	maxGroups = 5000

	retryMin = 50 * time.Millisecond
	retryMax = 5 * time.Second
	// retryDenied is long because permissions are granted by hand.
	retryDenied = 10 * time.Second

	// slowAfter is when a file system is reported that does not answer, abandonWithin how
	// long Run waits for one.
	slowAfter     = 10 * time.Second
	abandonWithin = time.Second
)

// Sink receives the registered instances, from one goroutine. Its methods must not block,
// and it owns the lists.
type Sink interface {
	SetGroup(registry.Group)
	// SetGroups receives all groups discovered now; the instances of a new group follow
	// through SetGroup.
	SetGroups(registry.Discovered)
}

// Options are the options of a [Directory].
type Options struct {
	// Proxy is the proxy's name, used as the label of its metrics.
	Proxy string
	// Dir is the absolute path of the directory. It need not exist yet.
	Dir string
	// Groups are the names of the groups to follow; they need not exist.
	Groups []string
	// Discover reports whether a name found in the directory is to be followed as a group:
	// unsafe names are not. nil discovers none. The names in Groups are skipped.
	Discover func(name string) bool
	// Most limits the number of discovered groups; 0 means 5000.
	Most int
	// Decoder returns what decodes the registrations of a group: the names of files and
	// their content, or the first words of lines and the rest of them. Several goroutines
	// call it.
	Decoder func(group string) decode.Decoder
	// Admit returns why an instance may not serve, nil if it may. A nil Admit admits all.
	Admit func(registry.Instance) error
	// Lookup returns the addresses of a host name that an instance registers; nil is the
	// system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Earlier is true if instances of the directory are known from before, so that an empty
	// directory in its place is more likely a volume that is not mounted yet.
	Earlier bool
	// Reread is the mean interval between reads without an event; 0 means 60 s.
	Reread time.Duration

	Sink    Sink
	Metrics *Metrics
	Logger  *slog.Logger
	// Report receives when the directory is lost and back, without the name of the proxy.
	// It must not block; nil discards the events.
	Report func(registry.Event)
}

// Directory follows the groups of one proxy in a directory. Create it with [New].
type Directory struct {
	options Options
	log     *slog.Logger
	status  status
	notes   intake.Notes
	strays  *intake.Note // about what belongs to no group
	counted counters

	resolver *resolve.Resolver
	resolved chan struct{} // receives a token when the address of a host name has changed

	// The rest belongs to the goroutine of Run.

	inotify  func() (*fsnotify.Watcher, error)
	watch    *watch
	rewatch  bool     // everything must be watched anew
	id       identity // of the directory that is watched
	root     mark
	groups   map[string]*group
	found    map[string]bool // the discovered groups; nil: not read yet
	overfull bool
	reread   time.Time
	retry    *backoff.ExponentialBackOff
	patience time.Duration // how long the lists that are due may still wait for addresses
	// watched is true if the directory itself is watched, limited if the watching of
	// something failed, which was logged.
	watched, limited bool
}

// New returns a directory; it does nothing before Run. Decoder, Sink, Metrics and Logger
// must not be nil.
func New(o Options) *Directory {
	o.Reread = cmp.Or(o.Reread, defaultReread)
	o.Most = cmp.Or(o.Most, maxGroups)
	if o.Report == nil {
		o.Report = func(registry.Event) {}
	}
	d := &Directory{
		options: o, log: o.Logger.With("dir", o.Dir), inotify: fsnotify.NewWatcher,
		groups: make(map[string]*group), retry: retry.Backoff(retryMin, retryMax),
	}
	d.resolver, d.resolved = resolve.New(resolve.Options{Lookup: o.Lookup, Usable: decode.Usable}), make(chan struct{}, 1)
	d.status.lost(firstProblem)
	d.strays = newNote(registry.AllGroups, o.Dir, d.log)
	d.notes.Add(d.strays)
	for _, name := range o.Groups {
		d.follow(name)
	}
	return d
}

// ConnectionStatus returns whether the directory can be read. Any goroutine may call it at
// any time.
func (d *Directory) ConnectionStatus() registry.ConnectionStatus { return d.status.get() }

// Registrations returns the findings for all groups that have any, ordered by name. Any
// goroutine may call it at any time.
func (d *Directory) Registrations() []registry.Registrations { return d.notes.Remarkable() }

// Run follows the groups until ctx is done. It then returns nil: at once, or, if the file
// system does not answer, within about a second, leaving a goroutine behind. Call it once.
func (d *Directory) Run(ctx context.Context) error {
	d.counted = d.options.Metrics.add(d.options.Proxy, &d.status, &d.notes)
	defer d.options.Metrics.remove(d.options.Proxy, &d.status, &d.notes)
	defer d.status.lost("stopped")
	var resolving sync.WaitGroup
	defer resolving.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resolving.Go(func() { d.resolver.Run(ctx) })

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.loop(ctx)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-ended:
	case <-time.After(abandonWithin):
		d.log.Error("cannot stop reading the directory, leaving a goroutine behind; the file system does not answer")
	}
	return nil
}

// loop reads what is due until ctx is done.
func (d *Directory) loop(ctx context.Context) {
	defer func() { d.watch.close() }()
	d.root.set(time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.watch.wake():
			d.apply(d.watch.take(), time.Now())
		case <-d.resolved:
			d.rereadMoved()
		case <-timer.C:
		}
		d.readDue(ctx)
		timer.Reset(time.Until(d.next()))
	}
}

// next returns when something is due.
func (d *Directory) next() time.Time {
	next := d.reread
	earlier := func(m mark) {
		if !m.due.IsZero() && (next.IsZero() || m.due.Before(next)) {
			next = m.due
		}
	}
	earlier(d.root)
	if d.status.isConnected() {
		for _, g := range d.groups {
			earlier(g.mark)
		}
	}
	return next
}

// readDue reads what is due now. Events that arrive meanwhile are applied between two
// groups.
func (d *Directory) readDue(ctx context.Context) {
	if now := time.Now(); !d.reread.IsZero() && !now.Before(d.reread) {
		d.root.set(now)
		spread := min(time.Duration(len(d.groups))*spreadEach, spreadMax)
		for _, g := range d.groups {
			g.later(now.Add(jitter(spread)))
		}
		d.reread = time.Time{}
	}
	if d.root.over(time.Now()) {
		d.readRoot()
	}
	if !d.status.isConnected() {
		return
	}
	d.patience = resolvePatience
	for _, g := range d.groups {
		if ctx.Err() != nil {
			return
		}
		if g.over(time.Now()) {
			d.readGroup(ctx, g)
			d.apply(d.watch.take(), time.Now())
		}
	}
	if d.reread.IsZero() {
		d.planReread()
	}
}

// planReread decides when everything is read again without an event.
func (d *Directory) planReread() {
	whole := d.watched
	for _, g := range d.groups {
		whole = whole && !g.unwatched
	}
	d.status.setWatched(whole)
	pause := d.options.Reread
	switch {
	case !whole:
		pause = min(pause, rereadUnwatched)
		if !d.limited {
			d.log.Warn("cannot watch the whole directory, changes are only noticed by reading it again; raise fs.inotify.max_user_watches and fs.inotify.max_user_instances",
				"problem", d.watch.problem(), "every", pause)
		}
	case d.limited:
		d.log.Info("the whole directory is watched again")
	}
	d.limited = !whole
	d.reread = time.Now().Add(jitter(pause))
}

// timed warns if an operation on the file system does not end.
func (d *Directory) timed(do func()) {
	slow := time.AfterFunc(slowAfter, func() {
		problem := "the file system has not answered for " + slowAfter.String()
		if d.status.lost(problem) {
			d.log.Warn("file system does not answer, the instances known stay", "after", slowAfter)
			d.options.Report(registry.Event{Kind: registry.EventDirectoryLost, Detail: problem})
		}
	})
	do()
	if !slow.Stop() {
		d.root.set(time.Now())
	}
}

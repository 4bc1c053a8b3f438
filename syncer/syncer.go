package syncer

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/resolve"
	"github.com/haproxy-zk/haproxy-zk/retry"
)

const (
	defaultSessionTimeout = 10 * time.Second
	defaultSafetyReread   = 60 * time.Second
)

// Sink receives the registered instances. Several goroutines call SetGroup, but for one
// group the calls are sequential and in order; it must not block. The sink owns the
// slice of instances.
type Sink interface {
	SetGroup(registry.Group)
	// SetGroups receives all groups discovered now; the instances of a new group follow
	// through SetGroup.
	SetGroups(registry.Discovered)
}

// Group is one application to follow.
type Group struct {
	Name string
	// Path is the parent of the instances, without the chroot. It need not exist.
	Path string
	// Decoder decodes the children.
	Decoder decode.Decoder
}

// Discovery describes where groups are found: each child of Parent is a group.
type Discovery struct {
	// Parent is the parent of the groups, without the chroot.
	Parent string
	// Path returns the parent of a group's instances, without the chroot, or "" if the
	// name is unsafe and must not be followed.
	Path func(group string) string
	// Decoder decodes the children of every group.
	Decoder decode.Decoder
	// Most limits the number of groups followed; 0 means 5000.
	Most int
}

// Options are the options of a [Syncer], which follows the groups of one proxy.
type Options struct {
	// Proxy is the proxy's name, used as the label of its metrics.
	Proxy string
	// Servers are host:port, at least one. Names are resolved at every dial.
	Servers []string
	// Chroot is "" or a path such as "/a", which is prepended to every group's path.
	Chroot string
	// SessionTimeout is the requested timeout; 0 means 10 s. ZooKeeper may grant another.
	// A longer one keeps the session longer but does not delay the detection of a dead
	// connection.
	SessionTimeout time.Duration
	// Auth is "USER:PASSWORD" of the digest scheme, a secret; empty means none.
	Auth string
	// SASL is "USER:PASSWORD" of SASL with DIGEST-MD5, a secret; empty means none.
	SASL string
	// Secure configures TLS; nil means no TLS.
	Secure Secure
	// Groups may be empty: then only the session is kept.
	Groups []Group
	// Discover finds more groups; nil finds none. The names in Groups are skipped.
	Discover *Discovery
	// CreatePaths creates the missing paths of Groups, the parent of Discover, and their
	// parents. The user of Auth gets all permissions, or everybody if Auth is empty.
	CreatePaths bool
	// Admit returns why an instance may not serve, nil if it may; several goroutines call
	// it. A nil Admit admits all.
	Admit func(registry.Instance) error
	// Lookup returns the addresses of a host name that an instance registers; nil is the
	// system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// SafetyReread is the mean interval between reads of a group without a watch event, which
	// is longer beside hundreds of groups; 0 means 60 s.
	SafetyReread time.Duration

	// ExamineFast examines which instances are ephemeral as fast as the first thousand,
	// however many there are.
	ExamineFast bool

	Sink    Sink
	Metrics *Metrics
	Logger  *slog.Logger
	// Report receives when ZooKeeper is lost and back, without the name of the proxy. It must
	// not block; nil discards the events.
	Report func(registry.Event)
}

// Syncer follows the groups of one proxy. Create it with [New].
type Syncer struct {
	options  Options
	connect  connectFunc
	status   status
	notes    intake.Notes
	followed atomic.Int64

	inspector *inspector
	begun     time.Time
	data      dataEvents
	reads     chan struct{} // see [payloads]
	resolver  *resolve.Resolver
}

// New returns a syncer; it does nothing before Run. Sink, Metrics and Logger must not be
// nil.
func New(o Options) *Syncer {
	if o.SessionTimeout <= 0 {
		o.SessionTimeout = defaultSessionTimeout
	}
	if o.SafetyReread <= 0 {
		o.SafetyReread = defaultSafetyReread
	}
	if o.Report == nil {
		o.Report = func(registry.Event) {}
	}
	s := &Syncer{
		options: o, connect: (&net.Dialer{}).DialContext, inspector: newInspector(o.ExamineFast), begun: time.Now(), reads: make(chan struct{}, maxReads),
	}
	s.resolver = resolve.New(resolve.Options{Lookup: o.Lookup, Usable: decode.Usable})
	s.status.lost("connecting")
	s.status.remedy = "set zk.auth to a user with read permission, or grant read to world:anyone"
	if o.Auth != "" {
		s.status.remedy = "grant read to the user of zk.auth, or correct user and password"
	}
	return s
}

// Run follows the groups until ctx is done. It then returns nil within about a second,
// even if ZooKeeper is down or silent, and leaves no goroutine. The only error is an
// empty list of servers. Call Run once.
func (s *Syncer) Run(ctx context.Context) error {
	counters := s.options.Metrics.add(s.options.Proxy, &s.status, &s.notes)
	defer s.options.Metrics.remove(s.options.Proxy, &s.status, &s.notes)
	defer s.status.lost("stopped")

	var resolving sync.WaitGroup
	defer resolving.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resolving.Go(func() { s.resolver.Run(ctx) })

	followers := s.followers(counters)
	absence := &absence{report: s.options.Report}
	for ctx.Err() == nil {
		session := newSession(ctx, s.options, s.connect, &s.status, counters)
		session.absence, session.data = absence, &s.data
		if err := session.run(followers); err != nil {
			return err
		}
	}
	return nil
}

// follower follows something over one session until ctx is done.
type follower interface {
	run(ctx context.Context, t tree, ls *links)
}

func (s *Syncer) followers(n counters) []follower {
	all := []follower{s.inspector}
	except := make(map[string]bool)
	counted := countParents(s.options.Groups, s.options.Discover)
	for _, g := range s.options.Groups {
		one := s.followGroup(g, counted.own(g, true), n)
		one.missingPath.creates = s.options.CreatePaths
		all = append(all, one)
		except[g.Name] = true
	}
	if d := s.options.Discover; d != nil {
		if d.Parent == "/" && s.options.Chroot == "" {
			except["zookeeper"] = true // ZooKeeper's own
		}
		parent := s.follow(Group{Name: registry.AllGroups, Path: d.Parent}, "", s.options.Logger, n)
		parent.missingPath.creates = s.options.CreatePaths
		all = append(all, &discoveryFollower{
			log: s.options.Logger, limit: cmp.Or(d.Most, maxGroups), parent: parent, sink: s.options.Sink, except: except, known: make(map[string]*groupFollower),
			make: func(name string) *groupFollower {
				if path := d.Path(name); path != "" {
					g := Group{Name: name, Path: path, Decoder: d.Decoder}
					return s.followGroup(g, counted.own(g, false), n)
				}
				return nil
			},
		})
	}
	return all
}

// followGroup returns a follower of one group's instances. parent is the parent of its path if
// it belongs to the group alone, else empty.
func (s *Syncer) followGroup(of Group, parent string, n counters) *groupFollower {
	g := s.follow(of, parent, s.options.Logger.With("group", of.Name), n)
	g.owners = &owners{inspector: s.inspector, path: g.path, note: g.note}
	g.unchanged = g.owners.unchanged
	g.payloads = newPayloads(g.path, of.Decoder, s.reads)
	g.data, g.outdated = &s.data, make(chan struct{}, 1)
	again := func() {
		select {
		case g.outdated <- struct{}{}:
		default:
		}
	}
	hosts := s.resolver.Follow(again)
	all := &instances{
		group: of.Name, sink: s.options.Sink, payloads: g.payloads, hosts: hosts, admit: s.options.Admit, note: g.note, owners: g.owners, again: again,
	}
	g.ended = func() {
		hosts.Set(nil)
		all.end()
	}
	g.deliver = all.deliver
	return g
}

func (s *Syncer) follow(of Group, parent string, log *slog.Logger, n counters) *groupFollower {
	chroot := strings.TrimSuffix(s.options.Chroot, "/")
	path := chroot + of.Path
	if of.Path == "/" && chroot != "" {
		path = chroot
	}
	if parent != "" {
		parent = chroot + parent
	}
	return &groupFollower{
		path:        path,
		unchanged:   func() {},
		ended:       func() {},
		missingPath: newMissingPath(parent, s.options.Auth),
		note:        newNote(of.Name, path, log),
		notes:       &s.notes,
		status:      &s.status,
		reads:       n.reads,
		delays:      n.delays,
		log:         log,
		safety:      s.options.SafetyReread,
		begun:       s.begun,
		followed:    &s.followed,
		retry:       retry.Backoff(retryMin, retryMax),
	}
}

// ConnectionStatus returns the state of the connection to ZooKeeper. Any goroutine may call it at
// any time.
func (s *Syncer) ConnectionStatus() registry.ConnectionStatus { return s.status.get() }

// Registrations returns the findings for all groups that have any, or that have instances
// of other formats than `ip:port`, ordered by name. Any goroutine may call it at any time.
func (s *Syncer) Registrations() []registry.Registrations {
	return s.notes.Remarkable()
}

// Examined returns a channel that is closed once every instance read so far has been
// checked for being ephemeral. Any goroutine may call it at any time.
func (s *Syncer) Examined() <-chan struct{} { return s.inspector.settled() }

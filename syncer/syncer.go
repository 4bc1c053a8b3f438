package syncer

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	defaultSessionTimeout = 10 * time.Second
	defaultSafetyReread   = 60 * time.Second
)

// Sink takes what is registered. SetGroup is called by several goroutines, but
// for one group by one at a time and in order; it must not block. The slice of
// instances is the sink's own.
type Sink interface {
	SetGroup(registry.Group)
	// SetGroups tells all groups that are discovered now; the instances of one
	// come by SetGroup afterwards.
	SetGroups(registry.Discovered)
}

// Group is one application to follow.
type Group struct {
	Name string
	// Path is the parent of the instances, without the chroot. It need not exist.
	Path string
}

// Discovery is where groups are found: each child of Parent is one.
type Discovery struct {
	// Parent is the parent of the groups, without the chroot.
	Parent string
	// Path is the parent of a group's instances, without the chroot; empty when
	// the name is unsafe and not to be followed.
	Path func(group string) string
	// Most is how many are followed; 0 is 5000.
	Most int
}

// Options describe one proxy's part of ZooKeeper.
type Options struct {
	// Proxy is the proxy's name, the label of its metrics.
	Proxy string
	// Servers are host:port, at least one. Names are resolved at every dial.
	Servers []string
	// Chroot is "" or a path such as "/a", which is put before every group's.
	Chroot string
	// SessionTimeout is what is asked for; ZooKeeper may grant another. 0 means 10 s.
	SessionTimeout time.Duration
	// Auth is "USER:PASSWORD" of the scheme digest, a secret; empty is nobody.
	Auth string
	// Secure is how TLS is spoken; nil is in the clear.
	Secure Secure
	// Groups may be empty: then only the session is kept.
	Groups []Group
	// Discover finds more groups; nil finds none. The names of Groups are left out.
	Discover *Discovery
	// SafetyReread is the mean time between two reads of a group that no watch
	// asked for. 0 means 60 s.
	SafetyReread time.Duration

	Sink    Sink
	Metrics *Metrics
	Logger  *slog.Logger
}

// Syncer follows the groups of one proxy. Make it with [New].
type Syncer struct {
	options Options
	connect connectFunc
	contact contact
	crowd   atomic.Int64
}

// New returns a syncer that does nothing before Run. Sink, Metrics and Logger
// must not be nil.
func New(o Options) *Syncer {
	if o.SessionTimeout <= 0 {
		o.SessionTimeout = defaultSessionTimeout
	}
	if o.SafetyReread <= 0 {
		o.SafetyReread = defaultSafetyReread
	}
	s := &Syncer{options: o, connect: (&net.Dialer{}).DialContext}
	s.contact.lost("connecting")
	s.contact.remedy = "set zk.auth to a user that may, or grant read to world:anyone"
	if o.Auth != "" {
		s.contact.remedy = "grant read to the user of zk.auth, or correct user and password"
	}
	return s
}

// Run follows the groups until ctx is done and returns nil then, within about a
// second even when ZooKeeper is away or silent; no goroutine of it is left. The
// only error is that of an empty list of servers. It may be called once.
func (s *Syncer) Run(ctx context.Context) error {
	counters := s.options.Metrics.add(s.options.Proxy, &s.contact)
	defer s.options.Metrics.remove(s.options.Proxy, &s.contact)
	defer s.contact.lost("stopped")

	followers := s.followers(counters)
	for ctx.Err() == nil {
		session := newSession(ctx, s.options, s.connect, &s.contact, counters)
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
	var all []follower
	except := make(map[string]bool)
	for _, g := range s.options.Groups {
		all = append(all, s.group(g.Name, g.Path, n))
		except[g.Name] = true
	}
	if d := s.options.Discover; d != nil {
		if d.Parent == "/" && s.options.Chroot == "" {
			except["zookeeper"] = true // its own
		}
		parent := s.follow(d.Parent, s.options.Logger, n)
		all = append(all, &discovery{
			log: s.options.Logger, most: cmp.Or(d.Most, maxGroups), parent: parent, sink: s.options.Sink, except: except, known: make(map[string]*group),
			make: func(name string) *group {
				if path := d.Path(name); path != "" {
					return s.group(name, path, n)
				}
				return nil
			},
		})
	}
	return all
}

// group follows the instances of one group.
func (s *Syncer) group(name, path string, n counters) *group {
	log := s.options.Logger.With("group", name)
	g := s.follow(path, log, n)
	g.deliver = (&instances{group: name, sink: s.options.Sink, log: log}).deliver
	return g
}

func (s *Syncer) follow(path string, log *slog.Logger, n counters) *group {
	chroot := strings.TrimSuffix(s.options.Chroot, "/")
	if path == "/" && chroot != "" {
		path = ""
	}
	return &group{
		path:    chroot + path,
		contact: &s.contact,
		reads:   n.reads,
		log:     log,
		safety:  s.options.SafetyReread,
		crowd:   &s.crowd,
		retry:   newBackOff(retryMin, retryMax),
	}
}

// Contact tells how the talk with ZooKeeper goes. Any goroutine may call it at
// any time.
func (s *Syncer) Contact() registry.Contact { return s.contact.get() }

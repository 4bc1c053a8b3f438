package syncer

import (
	"context"
	"log/slog"
	"net"
	"strings"
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
}

// Group is one application to follow.
type Group struct {
	Name string
	// Path is the parent of the instances, without the chroot. It need not exist.
	Path string
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
	// Groups may be empty: then only the session is kept.
	Groups []Group
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
	return s
}

// Run follows the groups until ctx is done and returns nil then, within about a
// second even when ZooKeeper is away or silent; no goroutine of it is left. The
// only error is that of an empty list of servers. It may be called once.
func (s *Syncer) Run(ctx context.Context) error {
	counters := s.options.Metrics.add(s.options.Proxy, &s.contact)
	defer s.options.Metrics.remove(s.options.Proxy, &s.contact)
	defer s.contact.lost("stopped")

	groups := make([]*group, 0, len(s.options.Groups))
	for _, g := range s.options.Groups {
		groups = append(groups, &group{
			name:   g.Name,
			path:   strings.TrimSuffix(s.options.Chroot, "/") + g.Path,
			sink:   s.options.Sink,
			reads:  counters.reads,
			log:    s.options.Logger.With("group", g.Name),
			safety: s.options.SafetyReread,
			spread: spread(len(s.options.Groups)),
			retry:  newBackOff(retryMin, retryMax),
		})
	}

	for ctx.Err() == nil {
		session := newSession(ctx, s.options, s.connect, &s.contact, counters)
		if err := session.run(groups); err != nil {
			return err
		}
	}
	return nil
}

// Contact tells how the talk with ZooKeeper goes. Any goroutine may call it at
// any time.
func (s *Syncer) Contact() registry.Contact { return s.contact.get() }

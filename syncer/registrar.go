package syncer

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/retry"
)

// Access says who may do what with the nodes that a [Registrar] creates.
type Access string

// The kinds of access. Without credentials each is [Open].
const (
	// Open lets everybody do everything.
	Open Access = "open"
	// Readable lets everybody read, and only the user of the credentials do more.
	Readable Access = "readable"
	// Owner lets only the user of the credentials do anything.
	Owner Access = "owner"
)

// RegistrarOptions are the options of a [Registrar]. Servers, Chroot, SessionTimeout, Auth,
// SASL and Secure are those of [Options].
type RegistrarOptions struct {
	Servers        []string
	Chroot         string
	SessionTimeout time.Duration
	Auth, SASL     string
	Secure         Secure

	// Parent is the path below which the node is created, without the chroot. It is created
	// if it is missing, and so are its parents.
	Parent string
	// Access is that of the node and of the parents that are created.
	Access Access
	// Report is called whenever the node has been created, true, or is found not to be there
	// or not to be this registrar's, false. It must not block.
	Report func(registered bool)
	Logger *slog.Logger
}

// Registrar keeps one ephemeral node in ZooKeeper while it is wanted: it creates the node
// again after the session has expired, or if the node was deleted.
//
// A node of the same name that an earlier session has left behind is replaced in one
// transaction, so that the name is never missing. Since the owner of such a node may be
// another registrar that is alive, this happens once; if the node later has a foreign
// owner again, that is logged, and the registrar waits until the node is gone.
type Registrar struct {
	options RegistrarOptions
	connect connectFunc
	keeper  *keeper
}

// NewRegistrar returns a registrar that does nothing before Run. Report and Logger must not
// be nil.
func NewRegistrar(o RegistrarOptions) *Registrar {
	if o.SessionTimeout <= 0 {
		o.SessionTimeout = defaultSessionTimeout
	}
	return &Registrar{
		options: o,
		connect: (&net.Dialer{}).DialContext,
		keeper: &keeper{
			parent: strings.TrimSuffix(o.Chroot, "/") + o.Parent, acl: o.Access.acl(o.Auth + o.SASL), report: o.Report, log: o.Logger,
			wake: make(chan struct{}, 1), own: make(map[int64]bool), retry: retry.Backoff(retryMin, retryMax),
		},
	}
}

// acl returns the permissions on a node.
func (a Access) acl(credentials string) []zk.ACL {
	switch {
	case credentials == "" || a == Open:
		return zk.WorldACL(zk.PermAll)
	case a == Owner:
		return zk.AuthACL(zk.PermAll)
	}
	return append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead)...)
}

// Register makes the registrar keep a node with this name and data. The name must be the
// same in all calls. Any goroutine may call it; it does not block.
func (r *Registrar) Register(name string, data []byte) { r.keeper.want(&node{name, data}) }

// Deregister makes the registrar delete its node. Any goroutine may call it; it does not
// block.
func (r *Registrar) Deregister() { r.keeper.want(nil) }

// Run keeps the node until ctx is done. Then it closes the session, which deletes the node
// as well, and returns nil within about a second, even if ZooKeeper is down or silent. The
// only error is an empty list of servers. Call Run once.
func (r *Registrar) Run(ctx context.Context) error {
	metrics := NewMetrics(prometheus.NewRegistry()) // nobody asks for them
	absence := &absence{report: func(registry.Event) {}}
	for ctx.Err() == nil {
		var current status
		var notes intake.Notes
		current.lost("connecting")
		session := newSession(ctx, Options{
			Servers: r.options.Servers, Chroot: r.options.Chroot, SessionTimeout: r.options.SessionTimeout,
			Auth: r.options.Auth, SASL: r.options.SASL, Secure: r.options.Secure, Logger: r.options.Logger,
		}, r.connect, &current, metrics.add("", &current, &notes))
		session.absence = absence
		session.linkLog = keepingRegistration{r.options.Logger}
		err := session.run([]follower{r.keeper})
		metrics.remove("", &current, &notes)
		if err != nil {
			return err
		}
	}
	return nil
}

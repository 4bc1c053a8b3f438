package query

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/httpserver"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
	"github.com/haproxy-zk/haproxy-zk/ui"
)

const (
	// maxConnections bounds the clients without a blocked query.
	maxConnections = 1024
	maxBlocked     = 1000
	writeTimeout   = 30 * time.Second
)

// Proxy is what this package needs of one proxy. Its methods are called from any
// goroutine, once or more per request, and must not block.
type Proxy interface {
	// Snapshot is never nil. The same pointer means the same content, and its
	// Proxy field is the same at every call.
	Snapshot() *registry.Snapshot
	ConnectionStatus() registry.ConnectionStatus
	// Registrations returns the findings of groups that have any, ordered by group name.
	Registrations() []registry.Registrations
	// Ready returns nil if the workers answer, else why they do not.
	Ready() error
	// Generations returns HAProxy's living generations, the serving one first.
	Generations() []supervisor.Generation
	// Launched returns how the latest start, reload or adoption of HAProxy ended.
	Launched() registry.Launched
	// Version returns the version of HAProxy that runs or is to be started.
	Version() haproxy.Version
	// ConfigFile returns the path of HAProxy's rendered configuration, which need not exist
	// yet.
	ConfigFile() string
}

// Options are the options of a Server. Proxies and Logger are required.
type Options struct {
	// Proxies returns the proxies in the configuration's order; their names are unique. It
	// is called at every request from any goroutine and must be cheap; the result is only
	// read.
	Proxies func() []Proxy
	// Place is where this load balancer runs.
	Place registry.Place
	// Configuration returns why the latest configuration was rejected, and since when; an
	// empty problem means that it was accepted. It is called at requests for /readyz from
	// any goroutine and must be cheap. nil means always accepted.
	Configuration func() (problem string, since time.Time)
	// Changed receives after Proxies or the snapshot of one of them has changed, so that
	// blocked queries are answered. One value may stand for many changes. nil never does.
	Changed <-chan struct{}
	// Access says who may ask, and how connections are encrypted; nil is everybody, in
	// clear text.
	Access *Access
	// Statistics returns what the workers of a proxy report, at most a second old, at least
	// of a group, or of all if its name is empty; nil if the proxy has not been started yet.
	// It may block for seconds; its error is that of ctx. nil makes `?detail` and `?passing`
	// a 503.
	Statistics func(ctx context.Context, proxy, group string) (*stats.Reading, error)
	// Metrics answers GET and HEAD of /metrics; nil makes that a 404.
	Metrics http.Handler
	// Events answers GET and HEAD of /events; nil makes that a 404.
	Events Events
	// Connections limits the number of clients: at most half of it, and 1000, may have
	// blocked queries, and 1024 may be others. 0 is the sum of both.
	Connections int
	// Logger logs, at debug, events of connections, and also queries cut short and clients
	// that cannot be accepted.
	Logger *slog.Logger
}

// Server answers queries. Create it with [New].
type Server struct {
	table          *table
	documents      documents
	place          registry.Place
	description    *page
	configuration  func() (problem string, since time.Time)
	metrics        http.Handler
	scrapes        *scrapes
	watches        *watches
	configurations *configurations
	changed        <-chan struct{}
	access         atomic.Pointer[Access]
	events         Events
	streams        *streams
	statistics     func(ctx context.Context, proxy, group string) (*stats.Reading, error)
	details        details
	pages          *ui.Renderer
	overviews      overviews
	files          map[string]*page
	limit          connLimit
	logger         *slog.Logger
	stopping       atomic.Bool
}

// New returns a Server that does not listen yet.
func New(o Options) *Server {
	connections := cmp.Or(o.Connections, maxConnections+maxBlocked)
	blocked := min(connections/2, maxBlocked)
	s := &Server{
		table:          newTable(routes()),
		documents:      documents{proxies: o.Proxies},
		place:          o.Place,
		pages:          ui.New(),
		files:          newFiles(),
		description:    newPage(typeJSON, 0, func() []byte { return openAPI }),
		configurations: newConfigurations(),
		configuration:  o.Configuration,
		metrics:        o.Metrics,
		scrapes:        newScrapes(),
		events:         o.Events,
		statistics:     o.Statistics,
		watches:        newWatches(),
		changed:        o.Changed,
		limit:          connLimit{maximum: min(connections-blocked, maxConnections), maximumBlocked: blocked},
		logger:         o.Logger,
	}
	s.streams = newStreams(s.limit.maximum)
	s.SetAccess(cmp.Or(o.Access, new(Access)))
	return s
}

// SetAccess changes who may ask and the certificate of new connections. Whether
// connections are encrypted does not change while the server runs. It may be called from
// any goroutine.
func (s *Server) SetAccess(a *Access) { s.access.Store(a) }

// Serve answers on all ports until ctx is done, then lets running requests finish for at
// most two seconds, cuts the rest and returns nil. Blocked queries are answered at once.
// It returns an error only if a listener fails before that. All listeners are closed in
// any case. Call Serve once, with at least one port.
func (s *Server) Serve(ctx context.Context, ports ...Port) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() { s.wakeUp(ctx) })
	errs := make([]error, len(ports))
	for i, p := range ports {
		running.Go(func() {
			defer cancel()
			errs[i] = s.serve(ctx, p)
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// serve answers on one port.
func (s *Server) serve(ctx context.Context, p Port) error {
	server := &http.Server{
		Handler:                      &port{Server: s, detail: p.Detail, over: ctx.Done()},
		ConnState:                    s.limit.note,
		ConnContext:                  withMember,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            5 * time.Second,
		ReadTimeout:                  10 * time.Second,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  60 * time.Second,
		MaxHeaderBytes:               16 << 10,
		ErrorLog:                     slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(s.streams.end)
	defer s.streams.end()
	var listener net.Listener = limitedListener{&acceptLogger{Listener: p.Listener, logger: s.logger}, &s.limit}
	if encryption := s.encryption(); encryption != nil {
		listener = tls.NewListener(listener, encryption)
	}
	cut, err := httpserver.Serve(ctx, server, listener)
	if err != nil {
		return fmt.Errorf("serve queries: %w", err)
	}
	if cut {
		s.logger.Info("open queries cut at shutdown", "after", httpserver.Grace)
	}
	return nil
}

// Stop makes /readyz answer 503 from now on, so that no new requests are sent here while
// the proxies drain. All else continues until Serve's context is done. It may be called
// repeatedly, from any goroutine.
func (s *Server) Stop() { s.stopping.Store(true) }

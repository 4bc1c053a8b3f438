package query

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/haproxy-zk/haproxy-zk/httpserver"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/stats"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

const (
	maxConnections = 1024
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
}

// Options are the options of a Server. Proxies and Logger are required.
type Options struct {
	// Proxies returns the proxies in the configuration's order; their names are unique. It
	// is called at every request from any goroutine and must be cheap; the result is only
	// read.
	Proxies func() []Proxy
	// Configuration returns why the latest configuration was rejected, and since when; an
	// empty problem means that it was accepted. It is called at requests for /readyz from
	// any goroutine and must be cheap. nil means always accepted.
	Configuration func() (problem string, since time.Time)
	// Statistics returns what the workers of a proxy report, at most a second old; nil if it
	// has not been started yet. It may block for seconds; its error is that of ctx. nil
	// makes `?detail` and `?passing` unknown.
	Statistics func(ctx context.Context, proxy string) (*stats.Reading, error)
	// Metrics answers GET and HEAD of /metrics; nil makes that a 404.
	Metrics http.Handler
	// Events answers GET and HEAD of /events; nil makes that a 404.
	Events Events
	// Connections limits the number of clients; 0, or more than 1024, is 1024.
	Connections int
	// Logger logs, at debug, events of connections, and also queries cut short and clients
	// that cannot be accepted.
	Logger *slog.Logger
}

// Server answers queries. Create it with [New].
type Server struct {
	documents     documents
	configuration func() (problem string, since time.Time)
	metrics       http.Handler
	scrapes       *scrapes
	events        Events
	streams       *streams
	statistics    func(ctx context.Context, proxy string) (*stats.Reading, error)
	details       details
	connections   int
	logger        *slog.Logger
	stopping      atomic.Bool
}

// New returns a Server that does not listen yet.
func New(o Options) *Server {
	s := &Server{
		documents:     documents{proxies: o.Proxies},
		configuration: o.Configuration,
		metrics:       o.Metrics,
		scrapes:       newScrapes(),
		events:        o.Events,
		statistics:    o.Statistics,
		connections:   min(cmp.Or(o.Connections, maxConnections), maxConnections),
		logger:        o.Logger,
	}
	s.streams = newStreams(s.connections)
	return s
}

// Serve answers on l until ctx is done, then lets running requests finish for at most two
// seconds, cuts the rest and returns nil. It returns an error only if l fails before
// that. l is closed in any case. Call Serve once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	connected := &connLimit{maximum: s.connections}
	server := &http.Server{
		Handler:                      http.HandlerFunc(s.route),
		ConnState:                    connected.note,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            5 * time.Second,
		ReadTimeout:                  10 * time.Second,
		WriteTimeout:                 30 * time.Second,
		IdleTimeout:                  60 * time.Second,
		MaxHeaderBytes:               16 << 10,
		ErrorLog:                     slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(s.streams.end)
	defer s.streams.end()
	cut, err := httpserver.Serve(ctx, server, limitedListener{&acceptLogger{Listener: l, logger: s.logger}, connected})
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

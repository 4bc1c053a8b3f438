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

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

const (
	maxConnections = 1024
	shutdownGrace  = 2 * time.Second
)

// Proxy is what this room asks of one proxy. Its methods are called from any
// goroutine, once or more per request, and must not block.
type Proxy interface {
	// Snapshot is never nil. The same pointer means the same content, and its
	// Proxy field is the same at every call.
	Snapshot() *registry.Snapshot
	Contact() registry.Contact
	// Ready returns nil when the workers answer, else why they do not.
	Ready() error
	// Generations are HAProxy's that live, the serving one first.
	Generations() []supervisor.Generation
}

// Options are what a Server is made of. Proxies and Logger are required.
type Options struct {
	// Proxies returns the proxies in the configuration's order, each with a name
	// of its own. It is called at every request from any goroutine and must be
	// cheap; what it returned is only read.
	Proxies func() []Proxy
	// Metrics answers GET and HEAD of /metrics; nil makes that a 404.
	Metrics http.Handler
	// Connections is how many clients there may be; 0, or more than 1024, is 1024.
	Connections int
	// Logger takes what happens on connections, at debug, queries cut short, and
	// clients that cannot be accepted.
	Logger *slog.Logger
}

// Server answers queries. Make it with [New].
type Server struct {
	documents   documents
	metrics     http.Handler
	scrapes     *scrapes
	connections int
	logger      *slog.Logger
	stopping    atomic.Bool
}

// New returns a Server that listens nowhere yet.
func New(o Options) *Server {
	return &Server{
		documents:   documents{proxies: o.Proxies},
		metrics:     o.Metrics,
		scrapes:     newScrapes(),
		connections: min(cmp.Or(o.Connections, maxConnections), maxConnections),
		logger:      o.Logger,
	}
}

// Serve answers on l until ctx is done, then lets running requests finish for
// at most two seconds, cuts the rest and returns nil. It returns an error only
// when l fails for good before that. In both cases l is closed when it returns.
// It is called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	connected := &crowd{most: s.connections}
	server := &http.Server{
		Handler:                      http.HandlerFunc(s.answer),
		ConnState:                    connected.note,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            5 * time.Second,
		ReadTimeout:                  10 * time.Second,
		WriteTimeout:                 30 * time.Second,
		IdleTimeout:                  60 * time.Second,
		MaxHeaderBytes:               16 << 10,
		ErrorLog:                     slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	served := make(chan struct{})
	var broken error
	go func() {
		defer close(served)
		broken = server.Serve(crowdedListener{&telling{Listener: l, logger: s.logger}, connected})
	}()

	select {
	case <-served:
		_ = server.Close()
		return fmt.Errorf("serve queries: %w", broken)
	case <-ctx.Done():
	}

	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		s.logger.Info("open queries cut at shutdown", "after", shutdownGrace)
		_ = server.Close()
	}
	<-served
	return nil
}

// Stop makes /readyz answer 503 from now on, so that nothing new is sent here
// while the proxies drain. All else goes on until Serve's context is done. It
// may be called more than once, from any goroutine.
func (s *Server) Stop() { s.stopping.Store(true) }

package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/httpserver"
)

const (
	maxLevel     = 64   // bytes of a level's name
	maxName      = 1024 // bytes of PROXY/GROUP
	reloadWithin = 2 * time.Minute
)

// ErrInvalid is wrapped by the error of a reload that fails until the configuration is
// corrected.
var ErrInvalid = errors.New("the configuration was rejected, the previous one stays in effect")

// Options are the options of a Server; all of them are required.
type Options struct {
	// Detach makes the process end and leave HAProxy serving. It is called from any
	// goroutine, possibly more than once, and must not wait for the end. If it returns an
	// error, nothing has happened.
	Detach func() error
	// Release releases the instances of a group that the loss guard holds, and returns
	// their number. It is called from any goroutine and must not block; its error says
	// what does not exist.
	Release func(proxy, group string) (held int, err error)
	// Reload reads the configuration again, and returns a one-line summary of the changes.
	// It is called from any goroutine and waits at most until ctx is done, which does not
	// undo a reload that has begun. Its error says why the previous configuration stays in
	// effect, and wraps [ErrInvalid] if only another configuration helps.
	Reload func(ctx context.Context) (summary string, err error)
	// Level is read and set by /loglevel.
	Level *slog.LevelVar
	// Logger logs requested changes and, at debug, events of connections.
	Logger *slog.Logger
}

// Server answers on the control socket. Create it with [New].
type Server struct{ Options }

// New returns a Server that does not listen yet.
func New(o Options) *Server { return &Server{o} }

// Serve answers on l until ctx is done, then lets running requests finish for at most two
// seconds, cuts the rest and returns nil; profiles being taken end at once. It returns an
// error only if l fails before that. l is closed in any case. Call Serve once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s.handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.Logger.Handler(), slog.LevelDebug),
	}
	if _, err := httpserver.Serve(ctx, server, l); err != nil {
		return fmt.Errorf("serve the control socket: %w", err)
	}
	return nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /detach", s.handleDetach)
	mux.HandleFunc("POST /release", s.handleRelease)
	mux.HandleFunc("POST /reload", s.handleReload)
	mux.HandleFunc("GET /loglevel", s.handleLevel)
	mux.HandleFunc("PUT /loglevel", s.handleSetLevel)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func (s *Server) handleDetach(w http.ResponseWriter, _ *http.Request) {
	if err := s.Detach(); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	s.Logger.Info("detach requested, leaving HAProxy serving")
	w.WriteHeader(http.StatusAccepted)
}

func (s *Server) handleRelease(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxName))
	proxy, group, both := strings.Cut(string(text), "/")
	if err != nil || !both || proxy == "" || group == "" {
		http.Error(w, "the body must be PROXY/GROUP", http.StatusBadRequest)
		return
	}
	held, err := s.Release(proxy, group)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	s.Logger.Info("release of held instances requested", "proxy", proxy, "group", group, "held", held)
	fmt.Fprintln(w, held)
}

func (s *Server) handleReload(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), reloadWithin)
	defer cancel()
	summary, err := s.Reload(ctx)
	switch {
	case errors.Is(err, ErrInvalid):
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
	case errors.Is(err, context.DeadlineExceeded):
		http.Error(w, fmt.Sprintf("the reload did not finish within %s and continues: see /readyz and the log for its result", reloadWithin), http.StatusGatewayTimeout)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		fmt.Fprintln(w, summary)
	}
}

func (s *Server) handleLevel(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, strings.ToLower(s.Level.Level().String()))
}

func (s *Server) handleSetLevel(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLevel))
	var level slog.Level
	if err == nil {
		err = level.UnmarshalText([]byte(strings.TrimSpace(string(text))))
	}
	if err != nil {
		http.Error(w, fmt.Sprintf("the level must be debug, info, warn or error: %v", err), http.StatusBadRequest)
		return
	}
	before := s.Level.Level()
	s.Level.Set(level)
	s.Logger.Info("log level changed", "level", level.String(), "before", before.String())
	s.handleLevel(w, r)
}

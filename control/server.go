package control

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"
)

const (
	shutdownGrace = 2 * time.Second
	maxLevel      = 64   // bytes of a level's name
	maxName       = 1024 // bytes of PROXY/GROUP
)

// Options are what a Server is made of. All of them are required.
type Options struct {
	// Detach makes the process end and leave HAProxy serving. It is called from
	// any goroutine, maybe more than once, and must not wait for that end. Its
	// error tells why it cannot be done; then nothing has happened.
	Detach func() error
	// Release lets go the instances of a group that the loss guard holds, and
	// returns how many. It is called from any goroutine and must not block; its
	// error tells what is not there.
	Release func(proxy, group string) (held int, err error)
	// Level is read and set by /loglevel.
	Level *slog.LevelVar
	// Logger takes who changed what, and at debug what happens on connections.
	Logger *slog.Logger
}

// Server answers on the control socket. Make it with [New].
type Server struct{ Options }

// New returns a Server that listens nowhere yet.
func New(o Options) *Server { return &Server{o} }

// Serve answers on l until ctx is done, then lets running requests finish for
// at most two seconds, cuts the rest and returns nil; profiles that are being
// taken end at once. It returns an error only when l fails for good before that.
// In both cases l is closed when it returns. It is called once.
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
	served := make(chan struct{})
	var broken error
	go func() {
		defer close(served)
		broken = server.Serve(l)
	}()
	select {
	case <-served:
		_ = server.Close()
		return fmt.Errorf("serve the control socket: %w", broken)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		_ = server.Close()
	}
	<-served
	return nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /detach", s.detach)
	mux.HandleFunc("POST /release", s.release)
	mux.HandleFunc("GET /loglevel", s.level)
	mux.HandleFunc("PUT /loglevel", s.setLevel)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func (s *Server) detach(w http.ResponseWriter, _ *http.Request) {
	if err := s.Detach(); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	s.Logger.Info("told to end and to leave HAProxy serving")
	w.WriteHeader(http.StatusAccepted)
}

func (s *Server) release(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxName))
	proxy, group, both := strings.Cut(string(text), "/")
	if err != nil || !both || proxy == "" || group == "" {
		http.Error(w, "the body is PROXY/GROUP", http.StatusBadRequest)
		return
	}
	held, err := s.Release(proxy, group)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	s.Logger.Info("told to let held instances go", "proxy", proxy, "group", group, "held", held)
	fmt.Fprintln(w, held)
}

func (s *Server) level(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, strings.ToLower(s.Level.Level().String()))
}

func (s *Server) setLevel(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLevel))
	var level slog.Level
	if err == nil {
		err = level.UnmarshalText([]byte(strings.TrimSpace(string(text))))
	}
	if err != nil {
		http.Error(w, fmt.Sprintf("the level is debug, info, warn or error: %v", err), http.StatusBadRequest)
		return
	}
	before := s.Level.Level()
	s.Level.Set(level)
	s.Logger.Info("log level changed", "level", level.String(), "before", before.String())
	s.level(w, r)
}

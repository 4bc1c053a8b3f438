package rig

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// HeaderInstance and HeaderApp identify the instance and the application that answered.
// HeaderTLSName is the name that the client asked for, if the instance takes TLS.
// HAProxy can be configured to set HeaderWorker to its process id, and HeaderServer to
// the `ip:port` of the chosen server.
const (
	HeaderInstance = "X-Instance"
	HeaderApp      = "X-App"
	HeaderTLSName  = "X-TLS-Name"
	HeaderWorker   = "X-Worker"
	HeaderServer   = "X-Server"
)

const (
	appStop  = 10 * time.Second
	appLeave = 30 * time.Second
	slowMax  = time.Minute
)

// App is an instance of an application: an HTTP server. It answers every path with its
// name and address, in the headers and the body. Three paths are special, with any
// prefix: `…/probe.jsp` is the health check, `…/slow?ms=N` answers after N
// milliseconds, at most a minute, and `…/echo` is for an [Echo].
type App struct {
	name   string
	addr   string
	server *http.Server
	done   chan struct{} // closed once the server no longer accepts
	echoes echoes

	mu          sync.Mutex
	served      map[string]int
	running     int
	first, last time.Time
	sick        bool
	broken      bool
	host        string    // the virtual host that is healthy; empty means any
	registry    *Registry // where it is registered; nil if it is not
	node        string
}

// StartApp starts an instance of an application on a loopback port.
func StartApp(name string) (*App, error) {
	port, err := FreePort()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return StartAppAt(name, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

// StartAppAt starts an instance of an application at addr, `ip:port`, which it also
// registers as.
func StartAppAt(name, addr string) (*App, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return serve(name, listener), nil
}

// StartTLSApp starts an instance of an application on a loopback port that takes TLS only,
// with HTTP/1.1 in it, whatever name clients ask for.
func StartTLSApp(name string, c Certificate) (*App, error) {
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return serve(name, tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}})), nil
}

// serve starts an instance behind a listener.
func serve(name string, listener net.Listener) *App {
	a := &App{
		name:   name,
		addr:   listener.Addr().String(),
		done:   make(chan struct{}),
		served: make(map[string]int),
	}
	a.server = &http.Server{Handler: http.HandlerFunc(a.reply), ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(a.done)
		_ = a.server.Serve(listener) // always ends with ErrServerClosed: nothing else uses the listener
	}()
	return a
}

// Name returns the application's name, which all of its instances share.
func (a *App) Name() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.name
}

// Become makes the instance one of another application: it answers with that name from
// now on.
func (a *App) Become(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.name = name
}

// Addr returns the instance's `ip:port`, the name under which it registers.
func (a *App) Addr() string { return a.addr }

func (a *App) reply(w http.ResponseWriter, r *http.Request) {
	probe := strings.HasSuffix(r.URL.Path, "/probe.jsp")
	healthy, broken := a.begin(r.URL.Path, r.Host, probe)
	defer a.end(probe)

	if strings.HasSuffix(r.URL.Path, "/slow") {
		ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
		wait := time.Duration(ms) * time.Millisecond
		if err != nil || wait < 0 || wait > slowMax {
			http.Error(w, "ms must be a number from 0 to 60000", http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
			return
		}
	}
	if strings.HasSuffix(r.URL.Path, "/echo") {
		a.echo(w, r)
		return
	}
	name := a.Name()
	w.Header().Set(HeaderInstance, a.addr)
	w.Header().Set(HeaderApp, name)
	if r.TLS != nil {
		w.Header().Set(HeaderTLSName, r.TLS.ServerName)
	}
	switch {
	case probe && !healthy:
		w.WriteHeader(http.StatusServiceUnavailable)
	case !probe && broken:
		w.WriteHeader(http.StatusInternalServerError)
	}
	fmt.Fprintf(w, "%s %s\n", name, a.addr)
}

func (a *App) begin(path, host string, probe bool) (healthy, broken bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.served[path]++
	if !probe {
		a.running++
		a.last = time.Now()
		if a.first.IsZero() {
			a.first = a.last
		}
	}
	return !a.sick && (a.host == "" || a.host == host), a.broken
}

func (a *App) end(probe bool) {
	if probe {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	a.last = time.Now()
}

// Served returns how many requests for path have arrived.
func (a *App) Served(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.served[path]
}

// Traffic returns when the first request arrived and when the last one arrived or
// ended, ignoring health checks; zero times if there was none.
func (a *App) Traffic() (first, last time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.first, a.last
}

// SetHealthy sets whether health checks are answered with 200 or 503.
func (a *App) SetHealthy(healthy bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sick = !healthy
}

// SetBroken sets whether everything but health checks is answered with 500.
func (a *App) SetBroken(broken bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = broken
}

// SetHost sets the only Host header for which health checks are answered with 200.
func (a *App) SetHost(host string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.host = host
}

// Register registers the instance as an ephemeral child of node.
func (a *App) Register(registry *Registry, node string) error {
	if err := registry.Register(node, a.addr); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.registry, a.node = registry, node
	return nil
}

// Unregister undoes Register.
func (a *App) Unregister() error {
	a.mu.Lock()
	registry, node := a.registry, a.node
	a.registry = nil
	a.mu.Unlock()
	if registry == nil {
		return fmt.Errorf("unregister %s: it is not registered", a.addr)
	}
	return registry.Unregister(node, a.addr)
}

// Quiet waits until no request is running and none has arrived for a whole period,
// ignoring health checks.
func (a *App) Quiet(ctx context.Context, period time.Duration) error {
	began := time.Now()
	tick := time.NewTicker(minPoll)
	defer tick.Stop()
	for {
		a.mu.Lock()
		running, last := a.running, a.last
		a.mu.Unlock()
		if last.Before(began) {
			last = began
		}
		if running == 0 && time.Since(last) >= period {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s does not become quiet (%d requests run): %w", a.addr, running, ctx.Err())
		}
	}
}

// Retire leaves like a well-behaved instance: it unregisters, waits until left returns
// nil and it has been quiet for a period, and stops. left checks that nothing sends it
// requests any more: having been quiet proves nothing if HAProxy itself had to wait for
// that long. A request on a connection that an instance closes at that moment is lost,
// since HAProxy does not answer if its client had an answer before (abort_keep_alive in
// its http_ana.c).
func (a *App) Retire(ctx context.Context, period time.Duration, left func() error) error {
	if err := a.Unregister(); err != nil {
		return err
	}
	if err := Eventually(ctx, appLeave, left); err != nil {
		return fmt.Errorf("retire %s: %w", a.addr, err)
	}
	if err := a.Quiet(ctx, period); err != nil {
		return err
	}
	return a.Stop()
}

// Stop lets running requests finish for up to 10 s, and ends the server. It does not
// unregister. It may be called twice.
func (a *App) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), appStop)
	defer cancel()
	err := a.server.Shutdown(ctx)
	a.echoes.reset()
	if err != nil {
		err = errors.Join(fmt.Errorf("stop %s: %w", a.addr, err), a.server.Close())
	}
	<-a.done
	return err
}

// Kill closes every connection and ends the server. It does not unregister.
func (a *App) Kill() error {
	a.echoes.reset()
	err := a.server.Close()
	<-a.done
	return err
}

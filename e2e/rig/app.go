package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// HeaderInstance and HeaderApp tell which instance of which application answered.
// HAProxy can be configured to tell its process id in HeaderWorker, and in
// HeaderServer the `ip:port` of the server that it chose.
const (
	HeaderInstance = "X-Instance"
	HeaderApp      = "X-App"
	HeaderWorker   = "X-Worker"
	HeaderServer   = "X-Server"
)

const (
	appStop = 10 * time.Second
	slowMax = time.Minute
)

// App is one instance of an application: an HTTP server. It
// answers every path with its name and address, in the headers and the body.
// Two paths do more, whatever stands before them: `…/probe.jsp` is the health
// check, and `…/slow?ms=N` answers after N milliseconds, at most a minute.
type App struct {
	name   string
	addr   string
	server *http.Server
	done   chan struct{} // closed when the server no longer accepts

	mu          sync.Mutex
	served      map[string]int
	running     int
	first, last time.Time
	sick        bool
	registry    *Registry // where it is registered; nil when it is not
	node        string
}

// StartApp starts an instance of the application called name on a loopback port.
func StartApp(name string) (*App, error) {
	port, err := FreePort()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return StartAppAt(name, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

// StartAppAt starts an instance of the application called name at addr, `ip:port`,
// which is also what it registers.
func StartAppAt(name, addr string) (*App, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	a := &App{
		name:   name,
		addr:   listener.Addr().String(),
		done:   make(chan struct{}),
		served: make(map[string]int),
	}
	a.server = &http.Server{Handler: http.HandlerFunc(a.answer), ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(a.done)
		_ = a.server.Serve(listener) // always ends with ErrServerClosed: nobody else has the listener
	}()
	return a, nil
}

// Name is the application's name, which every instance of it shares.
func (a *App) Name() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.name
}

// Become makes the instance one of another application: what it answers from now
// on has that one's name.
func (a *App) Become(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.name = name
}

// Addr is the instance's `ip:port`, the name under which it registers.
func (a *App) Addr() string { return a.addr }

func (a *App) answer(w http.ResponseWriter, r *http.Request) {
	probe := strings.HasSuffix(r.URL.Path, "/probe.jsp")
	healthy := a.begin(r.URL.Path, probe)
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
	name := a.Name()
	w.Header().Set(HeaderInstance, a.addr)
	w.Header().Set(HeaderApp, name)
	if probe && !healthy {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintf(w, "%s %s\n", name, a.addr)
}

func (a *App) begin(path string, probe bool) (healthy bool) {
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
	return !a.sick
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

// Traffic returns when the first request arrived and when the last one arrived
// or ended, health checks aside; zero times when there was none.
func (a *App) Traffic() (first, last time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.first, a.last
}

// SetHealthy decides whether health checks are answered with 200 or 503.
func (a *App) SetHealthy(healthy bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sick = !healthy
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

// Unregister takes back Register.
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

// Quiet waits until no request runs and none has arrived for a whole period,
// health checks aside.
func (a *App) Quiet(ctx context.Context, period time.Duration) error {
	began := time.Now()
	tick := time.NewTicker(pollInterval)
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

// Retire leaves as a well-behaved instance does: it unregisters, waits until it
// has been quiet for a period, and stops.
func (a *App) Retire(ctx context.Context, period time.Duration) error {
	if err := a.Unregister(); err != nil {
		return err
	}
	if err := a.Quiet(ctx, period); err != nil {
		return err
	}
	return a.Stop()
}

// Stop lets running requests finish, at most 10 s, and ends the server. It does
// not unregister. It may be called twice.
func (a *App) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), appStop)
	defer cancel()
	err := a.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stop %s: %w", a.addr, err), a.server.Close())
	}
	<-a.done
	return err
}

// Kill cuts every connection and ends the server. It does not unregister.
func (a *App) Kill() error {
	err := a.server.Close()
	<-a.done
	return err
}

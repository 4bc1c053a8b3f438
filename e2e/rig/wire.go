package rig

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Wire is the network between clients and one server: a loopback port that forwards to
// another, and can be made to fail. Its methods may be called from several goroutines.
type Wire struct {
	target string
	port   int

	mu       sync.Mutex
	listener net.Listener // nil while it does not listen
	open     map[*passage]bool
	closed   bool
	// forth and back are closed while bytes pass from clients and to them.
	forth, back chan struct{}
	delay       time.Duration
	requests    map[int32]int
	lie         func(number uint32, operation int32) []byte // nil: the server answers
	session     session

	running sync.WaitGroup
}

// passage is one connection through the wire.
type passage struct {
	client, server net.Conn
	ctx            context.Context
	cancel         context.CancelFunc
	lies           atomic.Bool // nothing from the server passes any more
}

// NewWire listens on a new port and forwards to target, `ip:port`.
func NewWire(target string) (*Wire, error) {
	port, err := FreePort()
	if err != nil {
		return nil, fmt.Errorf("make a wire: %w", err)
	}
	w := &Wire{target: target, port: port, open: make(map[*passage]bool), forth: passing(), back: passing(), requests: make(map[int32]int)}
	if err := w.Forward(); err != nil {
		return nil, err
	}
	return w, nil
}

func passing() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Addr returns the address for clients.
func (w *Wire) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(w.port)) }

// Forward lets everything pass, including what was held back.
func (w *Wire) Forward() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass(true, true)
	w.delay = 0
	if w.lie != nil {
		w.lie = nil
		w.closePassages()
	}
	if w.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", w.Addr())
	if err != nil {
		return fmt.Errorf("listen on the wire: %w", err)
	}
	w.listener = listener
	w.running.Go(func() { w.accept(listener) })
	return nil
}

// Cut closes all connections; new ones are accepted.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closePassages()
}

// Refuse closes all connections and refuses new ones, until Forward.
func (w *Wire) Refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.listener != nil {
		_ = w.listener.Close()
		w.listener = nil
	}
	w.closePassages()
}

// Silence lets nothing pass in either direction until Forward: connections stay open,
// new ones are accepted, and not even a close is forwarded.
func (w *Wire) Silence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass(false, false)
}

// Mute lets no answer pass until Forward; requests arrive.
func (w *Wire) Mute() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass(true, false)
}

// Delay delays every answer from now on, until Forward.
func (w *Wire) Delay(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delay = d
}

// Requests returns how many requests with an operation have passed since its last call.
func (w *Wire) Requests(operation int32) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.requests[operation]
	w.requests[operation] = 0
	return n
}

// Close closes everything and waits. It may be called twice.
func (w *Wire) Close() {
	w.Refuse()
	w.mu.Lock()
	w.closed = true
	w.closePassages()
	w.mu.Unlock()
	w.running.Wait()
}

func (w *Wire) pass(forth, back bool) {
	change := func(gate *chan struct{}, open bool) {
		select {
		case <-*gate:
			if !open {
				*gate = make(chan struct{})
			}
		default:
			if open {
				close(*gate)
			}
		}
	}
	change(&w.forth, forth)
	change(&w.back, back)
}

func (w *Wire) closePassages() {
	for p := range w.open {
		p.end()
	}
}

func (p *passage) end() {
	p.cancel()
	_ = p.client.Close()
	_ = p.server.Close()
}

func (w *Wire) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		w.running.Go(func() { w.connect(client) })
	}
}

func (w *Wire) connect(client net.Conn) {
	server, err := net.Dial("tcp", w.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p := &passage{client: client, server: server}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	w.mu.Lock()
	if w.closed || w.listener == nil {
		w.mu.Unlock()
		p.end()
		return
	}
	w.open[p] = true
	w.mu.Unlock()

	counter := &requestCounter{each: func(number uint32, operation int32) {
		w.count(operation)
		if reply, lies := w.lying(p, number, operation); lies {
			_, _ = client.Write(reply) // the pump notices a client that is gone
		}
	}}
	forth := &pump{passage: p, to: server, from: client, seen: counter.feed, rule: func() (chan struct{}, time.Duration) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.forth, 0
	}}
	listen := w.session.listen()
	back := &pump{passage: p, to: client, from: server, seen: func(b []byte) bool {
		listen(b)
		return !p.lies.Load()
	}, rule: func() (chan struct{}, time.Duration) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.back, w.delay
	}}
	var pumps sync.WaitGroup
	pumps.Go(forth.run)
	pumps.Go(back.run)
	pumps.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, p)
}

func (w *Wire) count(operation int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests[operation]++
}

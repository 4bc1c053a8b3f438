package rig

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// echoEvery is the pause between two exchanges of an [Echo], echoWithin bounds one.
	echoEvery  = 250 * time.Millisecond
	echoWithin = 10 * time.Second
	// webSocketGUID makes an answer's Sec-WebSocket-Accept of a request's Sec-WebSocket-Key
	// (RFC 6455, 1.3).
	webSocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + webSocketGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// echo takes over a connection that a client has upgraded, and returns what it sends.
func (a *App) echo(w http.ResponseWriter, r *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	if !a.echoes.keep(conn) {
		return
	}
	defer a.echoes.drop(conn)
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n%s: %s\r\n\r\n",
		acceptKey(r.Header.Get("Sec-WebSocket-Key")), HeaderInstance, a.addr)
	if err == nil {
		_, _ = io.Copy(conn, buffered) // until either side closes it
	}
}

// echoes are an instance's upgraded connections, which its server knows nothing of.
type echoes struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
	over  bool
}

// keep records a connection; false after the instance has ended.
func (e *echoes) keep(conn net.Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return false
	}
	if e.conns == nil {
		e.conns = make(map[net.Conn]bool)
	}
	e.conns[conn] = true
	return true
}

func (e *echoes) drop(conn net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, conn)
}

// reset resets all connections, as the end of a process does with unread data.
func (e *echoes) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	for conn := range e.conns {
		if tcp, is := conn.(*net.TCPConn); is {
			_ = tcp.SetLinger(0) // otherwise it is closed as usual
		}
		conn.Close()
	}
}

// Echo is a client's connection that was upgraded, as WebSockets are: it sends a few bytes
// all the time, and waits for their echo.
type Echo struct {
	// Instance is the instance at its other end.
	Instance string

	conn net.Conn
	stop chan struct{}
	over chan struct{} // closed when it no longer echoes
	err  error         // why, once over is closed; nil after Close
}

// OpenEcho opens a connection to a listener and upgrades it at path, which ends with
// `/echo`.
func OpenEcho(addr, path string) (*Echo, error) {
	conn, err := net.DialTimeout("tcp", addr, echoWithin)
	if err != nil {
		return nil, fmt.Errorf("open an echo: %w", err)
	}
	e := &Echo{conn: conn, stop: make(chan struct{}), over: make(chan struct{})}
	if err := e.upgrade(addr, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open an echo: %w", err), conn.Close())
	}
	go e.run()
	return e, nil
}

func (e *Echo) upgrade(addr, path string) error {
	if err := e.conn.SetDeadline(time.Now().Add(echoWithin)); err != nil {
		return err
	}
	key := base64.StdEncoding.EncodeToString([]byte(rand.Text()[:16]))
	_, err := fmt.Fprintf(e.conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", path, addr, key)
	if err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(e.conn, 4096), nil) // nothing follows before a request
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Sec-WebSocket-Accept") != acceptKey(key) {
		return fmt.Errorf("status %s, accepted %q", response.Status, response.Header.Get("Sec-WebSocket-Accept"))
	}
	e.Instance = response.Header.Get(HeaderInstance)
	return nil
}

func (e *Echo) run() {
	defer close(e.over)
	defer e.conn.Close()
	tick := time.NewTicker(echoEvery)
	defer tick.Stop()
	sent, got := []byte("echo"), make([]byte, 4)
	for {
		select {
		case <-e.stop:
			return
		case <-tick.C:
		}
		if e.err = e.conn.SetDeadline(time.Now().Add(echoWithin)); e.err != nil {
			return
		}
		if _, e.err = e.conn.Write(sent); e.err != nil {
			return
		}
		if _, e.err = io.ReadFull(e.conn, got); e.err != nil {
			return
		}
	}
}

// Cut returns why the connection has ended; nil while it echoes, and after Close unless it
// had ended before.
func (e *Echo) Cut() error {
	select {
	case <-e.over:
		return e.err
	default:
		return nil
	}
}

// Close ends the connection; call it once. It returns Cut.
func (e *Echo) Close() error {
	close(e.stop)
	<-e.over
	return e.err
}

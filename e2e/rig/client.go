package rig

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// errIdleClosed means that the server closed a kept connection before the next request
// was written. HTTP allows that (RFC 9112, 9.5); a client that notices in time opens a
// new connection, otherwise the request is lost.
var errIdleClosed = errors.New("kept connection closed between two requests")

// client sends one request at a time and never retries. net/http would retry a GET
// whose kept connection ends before the answer.
type client struct {
	addr    string
	dial    func(network, addr string, timeout time.Duration) (net.Conn, error)
	timeout time.Duration
	keep    bool

	conn   net.Conn // nil if there is none
	reader *bufio.Reader
	worker string // the HAProxy process that answered last on the connection
}

// reply is what is known about a request, even after an error.
type reply struct {
	instance string
	worker   string
	kept     bool // on a connection that had answered before
	status   int  // 0 without a complete answer
}

func (c *client) get(target Target) (a reply, err error) {
	defer func() {
		if err != nil || !c.keep {
			c.close()
		}
	}()
	deadline := time.Now().Add(c.timeout)
	a.kept = c.conn != nil
	if a.kept {
		a.worker = c.worker
		if readable(c.conn) {
			return a, errIdleClosed
		}
	} else {
		if c.conn, err = c.dial("tcp", c.addr, c.timeout); err != nil {
			return a, err
		}
		c.reader = bufio.NewReader(c.conn)
	}
	if err := c.conn.SetDeadline(deadline); err != nil {
		return a, err
	}
	err = c.exchange(target, &a)
	if err != nil && a.kept {
		err = fmt.Errorf("on a kept connection: %w", err)
	}
	return a, err
}

func (c *client) exchange(target Target, a *reply) error {
	connection := ""
	if !c.keep {
		connection = "Connection: close\r\n"
	}
	if _, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", target.Path, c.addr, connection); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	defer response.Body.Close()
	app := response.Header.Get(HeaderApp)
	a.instance = cmp.Or(response.Header.Get(HeaderInstance), response.Header.Get(HeaderServer))
	if worker := response.Header.Get(HeaderWorker); worker != "" {
		a.worker, c.worker = worker, worker
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	a.status = response.StatusCode
	switch {
	case response.StatusCode < 200 || response.StatusCode > 299:
		return fmt.Errorf("status %s", response.Status)
	case target.App != "" && app != target.App:
		return fmt.Errorf("answered by %q (%s) instead of %q", app, a.instance, target.App)
	}
	if response.Close {
		// Wait for the server to close first, so that TIME_WAIT does not use up the
		// ports for outgoing connections.
		_, _ = io.Copy(io.Discard, c.reader)
		c.close()
	}
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn, c.worker = nil, ""
	}
}

// readable reports whether an idle connection has something to read, which can only be
// its end.
func readable(conn net.Conn) bool {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	pending := true
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		pending = !errors.Is(err, syscall.EAGAIN)
	})
	return err != nil || pending
}

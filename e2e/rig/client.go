package rig

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// errIdleClosed: the other side had closed a kept connection before the next
// request was written. HTTP allows that (RFC 9112, 9.5), and a client that
// notices in time opens a new connection; one that does not loses the request.
var errIdleClosed = errors.New("kept connection closed between two requests")

// client sends one request at a time and never retries. net/http would repeat a
// GET whose kept connection ends before the answer.
type client struct {
	addr    string
	timeout time.Duration
	keep    bool

	conn   net.Conn // nil when there is none
	reader *bufio.Reader
}

// get returns the instance that answered, also beside an error where it is known.
func (c *client) get(target Target) (instance string, err error) {
	defer func() {
		if err != nil || !c.keep {
			c.close()
		}
	}()
	deadline := time.Now().Add(c.timeout)
	reused := c.conn != nil
	if reused && readable(c.conn) {
		return "", errIdleClosed
	}
	if !reused {
		if c.conn, err = net.DialTimeout("tcp", c.addr, c.timeout); err != nil {
			return "", err
		}
		c.reader = bufio.NewReader(c.conn)
	}
	if err := c.conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	instance, err = c.exchange(target)
	if err != nil && reused {
		err = fmt.Errorf("on a kept connection: %w", err)
	}
	return instance, err
}

func (c *client) exchange(target Target) (string, error) {
	connection := ""
	if !c.keep {
		connection = "Connection: close\r\n"
	}
	if _, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", target.Path, c.addr, connection); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	defer response.Body.Close()
	instance, app := response.Header.Get(HeaderInstance), response.Header.Get(HeaderApp)
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return instance, fmt.Errorf("read the body: %w", err)
	}
	switch {
	case response.StatusCode < 200 || response.StatusCode > 299:
		return instance, fmt.Errorf("status %s", response.Status)
	case target.App != "" && app != target.App:
		return instance, fmt.Errorf("answered by %q (%s) instead of %q", app, instance, target.App)
	}
	if response.Close {
		// Waiting for the other side's end leaves TIME_WAIT there, where it does
		// not use up the ports for outgoing connections.
		_, _ = io.Copy(io.Discard, c.reader)
		c.close()
	}
	return instance, nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// readable reports whether an idle connection has something to read, which can
// only be its end.
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

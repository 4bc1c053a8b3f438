package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNobody is wrapped by the errors of a [Client] when no process listens on
// the socket.
var ErrNobody = errors.New("no haproxy-zk listens on the control socket")

const callTimeout = 5 * time.Second

// Client asks the process behind a control socket. A call takes at most five
// seconds and uses a connection of its own. The methods may be called from any
// goroutine.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a Client of the socket at path; nothing is asked yet.
func NewClient(path string) *Client {
	c := &Client{path: path}
	c.http = &http.Client{Timeout: callTimeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
	}}
	return c
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.path)
	if err != nil && nobody(err) {
		return nil, fmt.Errorf("%w: %w", ErrNobody, err)
	}
	return conn, err
}

// PID is the process id of whoever listens, as the kernel tells it.
func (c *Client) PID(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := c.dial(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask who listens on the control socket: %w", err)
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("ask who listens on the control socket: %w", err)
	}
	var peer *unix.Ucred
	var asking error
	err = raw.Control(func(fd uintptr) { peer, asking = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, asking); err != nil {
		return 0, fmt.Errorf("ask who listens on the control socket: %w", err)
	}
	return int(peer.Pid), nil
}

// Detach tells the process to end and to leave HAProxy serving. It returns when
// the process has taken that up, not when it has ended.
func (c *Client) Detach(ctx context.Context) error {
	_, err := c.call(ctx, http.MethodPost, "/detach", "")
	return err
}

// Release tells the process to let go the instances of PROXY/GROUP that the loss
// guard holds, and returns how many those are.
func (c *Client) Release(ctx context.Context, name string) (held int, err error) {
	text, err := c.call(ctx, http.MethodPost, "/release", name)
	if err != nil {
		return 0, err
	}
	if held, err = strconv.Atoi(text); err != nil {
		return 0, fmt.Errorf("/release: %w", err)
	}
	return held, nil
}

// Level returns the level of the process's log.
func (c *Client) Level(ctx context.Context) (slog.Level, error) {
	var level slog.Level
	text, err := c.call(ctx, http.MethodGet, "/loglevel", "")
	if err == nil {
		err = level.UnmarshalText([]byte(text))
	}
	return level, err
}

// SetLevel changes the level of the process's log until it ends.
func (c *Client) SetLevel(ctx context.Context, level slog.Level) error {
	_, err := c.call(ctx, http.MethodPut, "/loglevel", level.String())
	return err
}

// call returns the body of a good answer; that of another one is the error.
func (c *Client) call(ctx context.Context, method, path, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://control"+path, strings.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return "", fmt.Errorf("ask on the control socket: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return "", fmt.Errorf("ask on the control socket: %w", err)
	}
	answer := strings.TrimSpace(string(text))
	if response.StatusCode/100 != 2 {
		return "", fmt.Errorf("%s is refused: %s", path, answer)
	}
	return answer, nil
}

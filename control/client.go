package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNotRunning is wrapped by the errors of a [Client] if no process listens on the socket.
var ErrNotRunning = errors.New("no haproxy-zk listens on the control socket")

const callTimeout = 5 * time.Second

// Client sends requests to the process behind a control socket. Each call uses its own
// connection and, except for Reload, takes at most five seconds. Any goroutine may call
// the methods.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a Client of the socket at path; it does not connect yet.
func NewClient(path string) *Client {
	c := &Client{path: path}
	c.http = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
	}}
	return c
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.path)
	if err != nil && noListener(err) {
		return nil, fmt.Errorf("%w %s; start it, or name its directory with --run-dir or RUN_DIR", ErrNotRunning, c.path)
	}
	return conn, err
}

// PID returns the process id of the listening process, as reported by the kernel.
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

// Detach asks the process to end and leave HAProxy serving. It returns when the process
// has accepted the request, not when it has ended.
func (c *Client) Detach(ctx context.Context) error {
	_, err := c.call(ctx, http.MethodPost, "/detach", "")
	return err
}

// Release releases the instances of PROXY/GROUP that the loss guard holds, and returns
// their number.
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

// Reload makes the process read its configuration again, and returns a one-line summary
// of the changes. It waits for the result for at most two minutes and five seconds. Its
// error has one line per reason, and wraps [ErrInvalid] if the configuration is wrong.
func (c *Client) Reload(ctx context.Context) (summary string, err error) {
	return c.callWithin(ctx, reloadWithin+callTimeout, http.MethodPost, "/reload", "")
}

// Level returns the process's log level.
func (c *Client) Level(ctx context.Context) (slog.Level, error) {
	var level slog.Level
	text, err := c.call(ctx, http.MethodGet, "/loglevel", "")
	if err == nil {
		err = level.UnmarshalText([]byte(text))
	}
	return level, err
}

// SetLevel changes the process's log level until it ends.
func (c *Client) SetLevel(ctx context.Context, level slog.Level) error {
	_, err := c.call(ctx, http.MethodPut, "/loglevel", level.String())
	return err
}

func (c *Client) call(ctx context.Context, method, path, body string) (string, error) {
	return c.callWithin(ctx, callTimeout, method, path, body)
}

// callWithin returns the body of a successful response, or that of any other as an error.
func (c *Client) callWithin(ctx context.Context, within time.Duration, method, path, body string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://control"+path, strings.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	response, err := c.http.Do(request)
	if failed, is := errors.AsType[*url.Error](err); is {
		err = failed.Err // without the URL, which nobody wrote
	}
	switch {
	case errors.Is(err, ErrNotRunning):
		return "", err
	case err != nil:
		return "", fmt.Errorf("ask on the control socket: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return "", fmt.Errorf("ask on the control socket: %w", err)
	}
	answer := strings.TrimSpace(string(text))
	switch {
	case response.StatusCode == http.StatusUnprocessableEntity:
		return "", fmt.Errorf("%w:\n%s", ErrInvalid, answer)
	case response.StatusCode/100 != 2:
		return "", fmt.Errorf("%s was rejected: %s", path, answer)
	}
	return answer, nil
}

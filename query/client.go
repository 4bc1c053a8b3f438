package query

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	getTimeout = 3 * time.Second
	// The largest documents have a few megabytes.
	maxAnswer = 256 << 20
)

// Client queries the HTTP port of a running haproxy-zk. Any goroutine may call its
// method.
type Client struct{ addr string }

// NewClient returns a Client of the server that listens on addr, such as ":21000"; an
// unspecified address means this host. It does not connect yet.
func NewClient(addr string) Client { return Client{addr} }

// Answer is a response of the HTTP port.
type Answer struct {
	// Code is the HTTP status, whatever it is.
	Code   int
	Header http.Header
	Body   []byte // at most 256 MiB
}

// Get requests a path, which begins with a slash and is escaped. It takes at most 3 s and
// uses its own connection. Its error is that of the connection: a response with any
// status is not an error.
func (c Client) Get(ctx context.Context, path string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, getTimeout)
	defer cancel()
	// Dial treats an unspecified address as the local system; a URL cannot express it.
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", c.addr)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", c.addr, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", c.addr, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return Answer{}, fmt.Errorf("read the answer of %s: %w", c.addr, err)
	}
	return Answer{response.StatusCode, response.Header, body}, nil
}

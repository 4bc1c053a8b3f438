package query

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
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
type Client struct {
	addr  string
	files AccessFiles
}

// NewClient returns a Client of the server that listens on addr, such as ":21000"; an
// unspecified address means this host. files are those of the server. It does not connect
// or read yet.
func NewClient(addr string, files AccessFiles) Client { return Client{addr, files} }

// Answer is a response of the HTTP port.
type Answer struct {
	// Code is the HTTP status, whatever it is.
	Code   int
	Header http.Header
	Body   []byte // at most 256 MiB
}

// Get requests a path, which begins with a slash and is escaped. It takes at most 3 s and
// uses its own connection. Its error is that of the connection, or of the files: a
// response with any status is not an error.
//
// The token is sent only where the server requires it, and only to a server that has the
// private key of the certificate, whoever signed that and until when.
func (c Client) Get(ctx context.Context, path string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, getTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", c.addr, err)
	}
	// Dial treats an unspecified address as the local system; a URL cannot express it.
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", c.addr)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: dial}
	if err := c.authenticate(request, transport); err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", c.addr, err)
	}
	client := http.Client{Transport: transport}
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

// authenticate adds the token to a request that requires one, and encrypts it if the
// server does.
func (c Client) authenticate(request *http.Request, transport *http.Transport) error {
	secret := c.files.Token != "" && !open(request.URL.Path)
	var own *Access
	if secret {
		var err error
		if own, err = c.files.Load(); err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+own.token)
	}
	if c.files.Certificate == "" {
		return nil
	}
	request.URL.Scheme = "https"
	transport.TLSClientConfig = &tls.Config{
		MinVersion: tls.VersionTLS12,
		// A health check must not fail because a certificate has expired, is for other
		// names, or was signed by somebody whom this host does not know.
		InsecureSkipVerify: true, //nolint:gosec // see VerifyConnection
		VerifyConnection: func(state tls.ConnectionState) error {
			if secret && !bytes.Equal(state.PeerCertificates[0].Raw, own.certificate.Certificate[0]) {
				return errors.New("the server's certificate is not that of HTTP_TLS_CERT, the token is not sent: reload haproxy-zk if the file was renewed")
			}
			return nil
		},
	}
	return nil
}

// open reports whether a path needs no token.
func open(path string) bool {
	rt := newTable(routes()).find(split(path), func(string, string) bool { return false })
	return rt != nil && rt.open
}

package query

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sys/unix"
)

const (
	getTimeout     = 3 * time.Second
	patientTimeout = 15 * time.Second
	// The largest documents have a few megabytes.
	maxAnswer = 256 << 20
)

// Client queries the HTTP port of a running haproxy-zk. Any goroutine may call its
// method.
type Client struct {
	addr   string
	files  AccessFiles
	within time.Duration
}

// NewClient returns a Client of the server that listens on addr, such as ":21000"; an
// unspecified address means this host. files are those of the server. It does not connect
// or read yet.
func NewClient(addr string, files AccessFiles) Client { return Client{addr, files, getTimeout} }

// Patient returns the same client, which waits longer for an answer: as long as workers
// may take that report thousands of instances on a busy machine.
func (c Client) Patient() Client {
	c.within = patientTimeout
	return c
}

// Answer is a response of the HTTP port.
type Answer struct {
	// Code is the HTTP status, whatever it is.
	Code   int
	Header http.Header
	Body   []byte // at most 256 MiB
}

// Refusal returns the error of an answer that is not 200, in the port's words; nil if it is.
func (a Answer) Refusal() error {
	if a.Code == http.StatusOK {
		return nil
	}
	var p problem
	if err := json.Unmarshal(a.Body, &p); err == nil && p.Error != "" {
		return fmt.Errorf("answered %d: %s", a.Code, p.Error)
	}
	return fmt.Errorf("answered %d: %.200q", a.Code, a.Body)
}

// Get requests a path, which begins with a slash and is escaped. It takes at most 3 s, or
// 15 s if the client is patient, and
// uses its own connection. Its error is that of the connection, or of the files: a
// response with any status is not an error.
//
// The token is sent only where the server requires it, and only to a server that has the
// private key of the certificate: its issuer and its expiry do not matter.
func (c Client) Get(ctx context.Context, path string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.within)
	defer cancel()
	response, err := c.do(ctx, path, nil)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return Answer{}, fmt.Errorf("read the answer of %s: %w", c.addr, err)
	}
	return Answer{response.StatusCode, response.Header, body}, nil
}

// do requests a path with a header, on a connection of its own.
func (c Client) do(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask haproxy-zk on %s: %w", c.addr, err)
	}
	maps.Copy(request.Header, header)
	// Dial treats an unspecified address as the local system; a URL cannot express it.
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", c.addr)
	}
	// On one host, compressing an answer takes longer than sending it.
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true, DialContext: dial}
	if err := c.authenticate(request, transport); err != nil {
		return nil, fmt.Errorf("ask haproxy-zk on %s: %w", c.addr, err)
	}
	client := http.Client{Transport: transport}
	response, err := client.Do(request)
	if err != nil {
		return nil, c.unanswered(err)
	}
	return response, nil
}

// unanswered returns the error of a request that got no answer, without its URL, which
// nobody wrote.
func (c Client) unanswered(err error) error {
	if request, is := errors.AsType[*url.Error](err); is {
		err = request.Err
	}
	if errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("no haproxy-zk answers on %s: %w; start it, or name its address with --http-addr or HTTP_ADDR", c.addr, unix.ECONNREFUSED)
	}
	return fmt.Errorf("ask haproxy-zk on %s: %w", c.addr, err)
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
		// names, or was signed by an authority that this host does not know.
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

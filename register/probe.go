package register

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

const (
	// maxAnswer bounds the part of a check's answer that is read.
	maxAnswer = 64 << 10
	// noCheck is the check that always passes.
	noCheck = "none"
)

// Probe asks once whether the application works: nil means that it does. It must return
// soon after ctx is done.
type Probe func(ctx context.Context) error

// Check is a check as it is written: http:// or https:// with a path, tcp://host:port, or
// none. The zero value is a connection to the registered address.
type Check struct{ url *url.URL }

var errCheck = errors.New("it is neither http://HOST:PORT/PATH, https://…, tcp://HOST:PORT nor none")

// ParseCheck parses a check; an empty text is the zero value.
func ParseCheck(text string) (Check, error) {
	if text == "" {
		return Check{}, nil
	}
	if text == noCheck {
		return Check{&url.URL{Scheme: noCheck}}, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return Check{}, errCheck
	}
	switch {
	case u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return Check{}, errCheck
	case u.Scheme == "http" || u.Scheme == "https":
		return Check{u}, nil
	case u.Scheme == "tcp" && u.Port() != "" && strings.Trim(u.Path, "/") == "" && u.RawQuery == "":
		return Check{u}, nil
	}
	return Check{}, errCheck
}

// Port returns the port that is checked, 0 if there is none.
func (c Check) Port() uint16 {
	if c.url == nil {
		return 0
	}
	port := c.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[c.url.Scheme]
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// String returns the check as it is written.
func (c Check) String() string {
	if c.url == nil {
		return ""
	}
	if c.url.Scheme == noCheck {
		return noCheck
	}
	return c.url.String()
}

// probe returns the check of an instance registered as addr.
func (c Check) probe(addr netip.AddrPort) Probe {
	switch {
	case c.url == nil:
		return connects(addr.String())
	case c.url.Scheme == noCheck:
		return func(context.Context) error { return nil }
	case c.url.Scheme == "tcp":
		return connects(c.url.Host)
	}
	return answers(c.url.String())
}

// connects returns a probe that opens and closes a connection.
func connects(address string) Probe {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// answers returns a probe that requests a URL and expects 2xx or 3xx, each time over a new
// connection and without following redirects. The certificate is not verified: the
// application is usually asked as 127.0.0.1, and it gets nothing secret.
func answers(target string) Probe {
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true, MaxResponseHeaderBytes: maxAnswer,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
		if err != nil {
			return err
		}
		request.Header.Set("User-Agent", "haproxy-zk")
		answer, err := client.Do(request)
		if err != nil {
			if inner, is := errors.AsType[*url.Error](err); is { // it repeats the URL
				return inner.Err
			}
			return err
		}
		defer answer.Body.Close()
		_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // the status is what counts
		if answer.StatusCode < 200 || answer.StatusCode > 399 {
			return fmt.Errorf("status %d", answer.StatusCode)
		}
		return nil
	}
}

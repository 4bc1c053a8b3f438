package syncer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
)

// Secure makes what a connection in TLS is opened with, at each dial, so that a
// renewed certificate is used. ServerName may be empty: then it becomes the host
// that is dialled. What it returns is the caller's own.
type Secure func() (*tls.Config, error)

// Dial connects to one server, host:port, as a [Syncer] does. A nil secure is in
// the clear. The error says what to do where that is known.
func Dial(ctx context.Context, server string, secure Secure) (net.Conn, error) {
	return connector((&net.Dialer{}).DialContext, secure)(ctx, "tcp", server)
}

// connector adds TLS to connect, unless secure is nil.
func connector(connect connectFunc, secure Secure) connectFunc {
	if secure == nil {
		return connect
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		cfg, err := secure()
		if err != nil {
			return nil, &tlsError{err}
		}
		if cfg.ServerName == "" {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			cfg.ServerName = strings.TrimSuffix(host, ".")
		}
		raw, err := connect(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := tls.Client(raw, cfg)
		if err := c.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, &tlsError{err}
		}
		return abrupt{c}, nil
	}
}

// abrupt closes without a word: [tls.Conn] may wait five seconds to say goodbye,
// and ZooKeeper's sessions have a close of their own.
type abrupt struct{ *tls.Conn }

func (a abrupt) Close() error { return a.NetConn().Close() }

// tlsError is what went wrong with TLS.
type tlsError struct{ error }

func (e *tlsError) Unwrap() error { return e.error }

// Error says what to do as well, where that is known.
func (e *tlsError) Error() string {
	err := e.error
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "TLS: " + err.Error() + ": name its authority in zk.tls.ca"
	case errors.As(err, new(x509.HostnameError)):
		return "TLS: " + err.Error() + ": name whom it is for in zk.tls.server_name"
	case errors.As(err, new(tls.RecordHeaderError)), errors.Is(err, io.EOF):
		return "TLS: " + err.Error() + ": does the server speak TLS on this port?"
	}
	if told, isTold := errors.AsType[*net.OpError](err); isTold && told.Op == "remote error" {
		return "TLS: " + refusal(told)
	}
	return "TLS: " + err.Error()
}

// refusal is what the server says of us. In TLS 1.3 it comes after the handshake.
func refusal(told *net.OpError) string {
	return "the server refuses us: " + told.Err.Error() + ": see zk.tls.cert and zk.tls.key"
}

package syncer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"unicode"
)

// Secure returns the TLS configuration of a connection. It is called at each dial, so
// that renewed certificates are used. If ServerName is empty, it is set to the host that
// is dialed; the caller owns the result.
type Secure func() (*tls.Config, error)

// Dial connects to one server, host:port, as a [Syncer] does. A nil secure means no TLS.
// The error says what to do where that is known.
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

// abrupt closes without TLS's close notification: [tls.Conn] may wait five seconds to
// send it, and ZooKeeper's sessions are closed by a request.
type abrupt struct{ *tls.Conn }

func (a abrupt) Close() error { return a.NetConn().Close() }

// tlsError is an error of TLS.
type tlsError struct{ error }

func (e *tlsError) Unwrap() error { return e.error }

// Error includes the remedy if it is known.
func (e *tlsError) Error() string {
	err, text := e.error, plain(e.error.Error())
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "TLS: " + text + "; set zk.tls.ca to the authority that signed it"
	case errors.As(err, new(x509.HostnameError)):
		return "TLS: " + text + "; set zk.tls.server_name to a name in the certificate"
	case errors.As(err, new(tls.RecordHeaderError)), errors.Is(err, io.EOF):
		return "TLS: " + text + "; check that the server speaks TLS on this port"
	}
	if netErr, isNetErr := errors.AsType[*net.OpError](err); isNetErr && netErr.Op == "remote error" {
		return "TLS: " + refusal(netErr)
	}
	return "TLS: " + text
}

// maxErrorText bounds the part of a certificate's error that is passed on.
const maxErrorText = 500

// plain returns a short line of printable text. The names in a certificate are part of
// the error before its signature is checked, and may be long and contain any character.
func plain(text string) string {
	if len(text) > maxErrorText {
		text = text[:maxErrorText] + "..."
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// refusal describes an alert from the server. In TLS 1.3 it arrives after the handshake.
func refusal(netErr *net.OpError) string {
	return "the server rejected the connection: " + netErr.Err.Error() + "; check zk.tls.cert and zk.tls.key"
}

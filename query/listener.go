package query

import (
	"context"
	"crypto/tls"
	"net"
)

// limitedListener applies a connLimit to its connections.
type limitedListener struct {
	net.Listener
	connLimit *connLimit
}

func (l limitedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.connLimit.join(conn), nil
}

// memberKey is the key of a request's context for the connection, a *member.
type memberKey struct{}

// withMember adds a connection to the context of its requests.
func withMember(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, memberKey{}, memberOf(conn))
}

// block takes the connection of a request that is not answered soon out of the limit of
// connections until it has been answered. It returns false if too many are. A request
// within the process has no connection.
func (r request) block() bool {
	m, connected := r.Context().Value(memberKey{}).(*member)
	return !connected || m.block()
}

// memberOf returns the member of a connection of a limitedListener, encrypted or not.
func memberOf(conn net.Conn) *member {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	return conn.(*member)
}

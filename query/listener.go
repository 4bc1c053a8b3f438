package query

import "net"

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

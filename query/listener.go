package query

import "net"

// crowdedListener accepts everybody into a crowd.
type crowdedListener struct {
	net.Listener
	crowd *crowd
}

func (l crowdedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.crowd.join(conn), nil
}

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// offer is a unix socket at which one launch finds the kept listening sockets.
type offer struct {
	listener *net.UnixListener
	ended    chan struct{}
	err      error // of the exchanges, valid once ended is closed
}

// offerMode is the socket's mode from its creation on: the launcher has the same user.
const offerMode = 0o600

// offerListeners starts an offer at path, in place of a file that may be there. Call
// [offer.end] once the launch is over.
func offerListeners(path string, give func(conn *net.UnixConn) error) (*offer, error) {
	if err := ownfile.Remove(path); err != nil {
		return nil, ownfile.Explain(path, err)
	}
	private := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		// Before bind(2): the file gets the socket's own mode, less the umask.
		controlling := raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), offerMode) })
		return errors.Join(controlling, err)
	}}
	listener, err := private.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	o := &offer{listener: listener.(*net.UnixListener), ended: make(chan struct{})}
	go func() {
		defer close(o.ended)
		o.err = o.serve(give)
	}()
	return o, nil
}

// serve gives to one launcher after the other: a script between haproxy-zk and HAProxy may
// try more than once.
func (o *offer) serve(give func(conn *net.UnixConn) error) error {
	var problem error
	for {
		conn, err := o.listener.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return problem
		case err != nil:
			return err
		}
		problem = give(conn)
		conn.Close()
	}
}

// end removes the socket, waits for a running exchange and returns the error of the last
// one.
func (o *offer) end() error {
	o.listener.Close() // which removes the file
	<-o.ended
	return o.err
}

// launchOnListeners starts a generation on the kept listening sockets. refused is true if
// it failed because HAProxy could not take them.
func (h *HAProxy) launchOnListeners(ctx context.Context) (next *liveGeneration, refused bool, err error) {
	o, err := offerListeners(h.HandoverSocket, h.listeners.give)
	if err != nil {
		return nil, true, fmt.Errorf("offer the listening sockets: %w", err)
	}
	next, err = h.launch(ctx, "-x", h.HandoverSocket)
	giving := o.end()
	if err != nil && giving != nil && ctx.Err() == nil {
		return nil, true, fmt.Errorf("%w: %w", giving, err)
	}
	return next, refusesHandover(err), err
}

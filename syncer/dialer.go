package syncer

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// serverTimeout bounds resolving, connecting and, in TLS, its handshake.
	serverTimeout = 2 * time.Second

	// The handshake is bounded from then on: at first shortly, because a ZooKeeper
	// that is just starting accepts connections which it never answers (it fails
	// to close them), and longer each time that a server is too slow.
	patienceMin = 600 * time.Millisecond
	patienceMax = 4 * time.Second
	// stable is how long a session must live to clear its server of suspicion.
	stable = time.Second

	// With a randomization of one half, no wait is longer than 1.05 s: the lists
	// are right two seconds after a server is there again.
	pauseMin = 50 * time.Millisecond
	pauseMax = 700 * time.Millisecond
)

func newBackOff(shortest, longest time.Duration) *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = shortest, longest
	b.Reset()
	return b
}

// connectFunc resolves a host:port, connects to it and, where TLS is spoken,
// shakes hands for that.
type connectFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dialer opens connections, one at a time. It waits before each round over the
// servers but the first, and after a session that ended at once. Only the
// library's loop calls its methods; close any goroutine.
type dialer struct {
	ctx     context.Context // the library's dial function has none to pass
	cancel  context.CancelFunc
	connect connectFunc
	servers int
	auth    string // sent with every handshake, unless empty

	problem func(string) // a server cannot be used, in a short sentence
	cut     func()       // a server closed the connection instead of answering the handshake
	heard   func()       // something was read

	pause       *backoff.ExponentialBackOff
	tried       int // servers of this round
	established time.Time
	session     int64 // the last one established
	mark        *mark // of its last connection; nil before the first
	forgiven    bool
	patience    map[string]time.Duration // by server, where the shortest was not enough

	mu   sync.Mutex
	open *conn
}

func newDialer(ctx context.Context, connect connectFunc, servers int) *dialer {
	d := &dialer{
		connect: connect,
		servers: servers,
		pause:   newBackOff(pauseMin, pauseMax),

		patience: make(map[string]time.Duration),
	}
	d.ctx, d.cancel = context.WithCancel(ctx)
	return d
}

// dial has the library's signature; its timeout, a fixed second, is not used.
func (d *dialer) dial(network, address string, _ time.Duration) (net.Conn, error) {
	if err := d.wait(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(d.ctx, serverTimeout)
	defer cancel()
	raw, err := d.connect(ctx, network, address)
	if err != nil {
		delete(d.patience, address)
		d.problem(fmt.Sprintf("cannot connect to %s: %s", address, reason(err)))
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	c := &conn{Conn: raw, address: address, dialer: d}
	if err := raw.SetDeadline(time.Now().Add(max(patienceMin, d.patience[address]))); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("set the deadline of the handshake: %w", err)
	}
	return d.keep(c)
}

// answered notes whether a server was quick enough with its answer. One that was
// not for the first time has just come, or its network has gone: there is no
// reason yet to wait long before the next dial.
func (d *dialer) answered(address string, err error) {
	if !isTimeout(err) {
		delete(d.patience, address)
		return
	}
	if d.patience[address] == 0 {
		d.pause.Reset()
	}
	d.patience[address] = min(patienceMax, 2*max(patienceMin, d.patience[address]))
}

// wait sleeps before a new round, and returns an error when the dialer is closed.
func (d *dialer) wait() error {
	if !d.established.IsZero() {
		d.tried = d.servers
		if time.Since(d.established) >= stable {
			d.pause.Reset()
			d.tried = 0
		}
		d.established = time.Time{}
	}
	if d.tried >= d.servers {
		d.tried = 0
		timer := time.NewTimer(d.pause.NextBackOff())
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-d.ctx.Done():
		}
	}
	d.tried++
	return d.ctx.Err()
}

// keep makes c the open connection and closes the one before: after an expiry
// the library dials again without having closed it.
func (d *dialer) keep(c *conn) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ctx.Err(); err != nil {
		_ = c.Close()
		return nil, err
	}
	if d.open != nil {
		_ = d.open.Close()
	}
	d.open = c
	return c, nil
}

// connected notes that a session was established.
func (d *dialer) connected() {
	d.established = time.Now()
	d.session = d.open.session
	d.mark = &d.open.mark
	d.forgiven = false
}

// expired shortens the next wait, once: a server that says that the session has
// expired works.
func (d *dialer) expired() {
	if !d.forgiven {
		d.forgiven = true
		d.pause.Reset()
	}
}

// close ends a dial, a sleep or a connection at once; none is opened any more.
func (d *dialer) close() {
	d.cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open != nil {
		_ = d.open.Close()
	}
}

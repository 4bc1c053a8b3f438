package syncer

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/haproxy-zk/haproxy-zk/retry"
)

const (
	// serverTimeout bounds resolving, connecting and the TLS handshake.
	serverTimeout = 2 * time.Second

	// ZooKeeper's handshake is bounded separately: briefly at first, because a ZooKeeper
	// that is just starting accepts connections which it never answers or closes, and
	// longer each time that a server is too slow.
	patienceMin = 600 * time.Millisecond
	patienceMax = 4 * time.Second
	// stable is how long a session must last for the next dial not to be delayed.
	stable = time.Second

	// The lists are correct two seconds after a server is back.
	pauseMin = 50 * time.Millisecond
	pauseMax = 1050 * time.Millisecond
)

// connectFunc resolves a host:port, connects to it and, if configured, performs the TLS
// handshake.
type connectFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dialer opens connections, one at a time. It pauses before each round over the servers
// but the first, and after a session that ended immediately or with a fault. Only the
// library's loop calls its methods; any goroutine may call close.
type dialer struct {
	ctx     context.Context // the library's dial function has no context
	cancel  context.CancelFunc
	connect connectFunc
	servers int
	auth    string        // sent after every handshake, unless empty
	sasl    string        // the same, before auth
	chroot  string        // all paths are at or below it; "" is the root
	timeout time.Duration // requested session timeout

	problem func(string) // reports why a server cannot be used
	cut     func()       // called when a server closed the connection instead of answering the handshake
	heard   func()       // called when something was read

	// took is that of [answers].
	took func(operation uint32, d time.Duration)

	pause        *backoff.ExponentialBackOff
	tried        int // servers tried in this round
	established  time.Time
	session      int64         // the latest one established
	lastSeenZxid *lastSeenZxid // of its latest connection; nil before the first
	forgiven     bool
	patience     map[string]time.Duration // by server, if the minimum was not enough

	old oldServers
	// aged is called when a server turns out to be old; it may be nil.
	aged func(address string)

	mu   sync.Mutex
	open *conn
}

func newDialer(ctx context.Context, connect connectFunc, servers int) *dialer {
	d := &dialer{
		connect: connect,
		servers: servers,
		pause:   retry.Backoff(pauseMin, pauseMax),

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
	c := &conn{Conn: raw, address: address, dialer: d, asked: asked{timeout: d.timeout}, ended: make(chan struct{})}
	if err := raw.SetDeadline(time.Now().Add(max(patienceMin, d.patience[address]))); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("set the deadline of the handshake: %w", err)
	}
	return d.setOpen(c)
}

// answered records whether a server answered the handshake in time. If it did not for
// the first time, it may just have started, or the network may have failed: the next
// dial need not wait long.
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

// wait pauses before a new round, and returns an error once the dialer is closed.
func (d *dialer) wait() error {
	if !d.established.IsZero() {
		d.tried = d.servers
		if time.Since(d.established) >= stable && d.open.fault == "" {
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

// setOpen makes c the open connection and closes the previous one: after an expiry the
// library dials again without having closed it.
func (d *dialer) setOpen(c *conn) (net.Conn, error) {
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

// connected records that a session was established.
func (d *dialer) connected() {
	d.established = time.Now()
	if d.session != d.open.session {
		d.old.renew(d.open.address)
	}
	d.session = d.open.session
	d.lastSeenZxid = &d.open.lastSeenZxid
	d.forgiven = false
}

// noteOld reports a server that turns out to be old.
func (d *dialer) noteOld(address string) {
	if d.aged != nil {
		d.aged(address)
	}
}

// expired shortens the next pause, once: a server that reports an expired session works.
func (d *dialer) expired() {
	if !d.forgiven {
		d.forgiven = true
		d.pause.Reset()
	}
}

// close ends a dial, a pause or a connection immediately; none is opened afterwards.
func (d *dialer) close() {
	d.cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open != nil {
		_ = d.open.Close()
	}
}

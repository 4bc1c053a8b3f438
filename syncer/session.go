package syncer

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	// maxAnswer bounds an answer: a few hundred thousand children.
	maxAnswer = 16 << 20
	// maxDataAnswer bounds an answer with a node's data: ZooKeeper's own limit, and a head.
	maxDataAnswer = 1<<20 + 4<<10

	// closeTimeout is how long a server may take to close the session.
	closeTimeout = 500 * time.Millisecond
	// queueTimeout is ample time for the library to queue a request.
	queueTimeout = 10 * time.Millisecond
)

// session is one connection object of the library with its state. The library renews the
// session inside it after an expiry.
type session struct {
	options  Options
	status   *status
	counters counters
	log      *slog.Logger

	ctx    context.Context // done when the session is to end
	cancel context.CancelFunc
	hosts  *hosts
	dialer *dialer
	links  *links
	zk     *zk.Conn
	calls  *calls
	stale  chan struct{} // receives a token when no server resumes the session

	absence *absence // only logLinks uses it
	linkLog linkLog
	data    *dataEvents

	// Only the library's loop uses these.
	lostAt  time.Time     // zero before the first loss
	granted time.Duration // the session timeout
}

func newSession(ctx context.Context, o Options, connect connectFunc, c *status, n counters) *session {
	s := &session{
		options: o, status: c, counters: n, log: o.Logger, linkLog: keepingInstances{o.Logger}, data: new(dataEvents),
		links: &links{link: newLink()},
		stale: make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	// The dialer outlives ctx: a session is closed over its open connection.
	s.dialer = newDialer(context.WithoutCancel(ctx), connector(connect, o.Secure), len(o.Servers))
	s.dialer.auth, s.dialer.sasl, s.dialer.timeout = o.Auth, o.SASL, o.SessionTimeout
	s.dialer.chroot = strings.TrimSuffix(o.Chroot, "/")
	s.dialer.heard = c.hear
	s.dialer.took = func(operation uint32, d time.Duration) {
		c.noteRoundTrip(d)
		n.took(operation, d)
	}
	s.dialer.problem = s.problem
	s.dialer.aged = func(address string) {
		s.log.Info("the ZooKeeper server cannot read many nodes at once, as from 3.6 on; reading data node by node, which takes longer", "server", address)
	}
	s.dialer.cut = s.refused
	s.hosts = newHosts(s.dialer.connected)
	return s
}

// run runs followers until ctx is done or the session is rejected.
func (s *session) run(followers []follower) error {
	defer s.cancel()
	conn, events, err := zk.Connect(s.options.Servers, s.options.SessionTimeout,
		zk.WithHostProvider(s.hosts),
		zk.WithDialer(s.dialer.dial),
		zk.WithEventCallback(s.observe),
		zk.WithLogger(printer{s.log}),
		zk.WithMaxBufferSize(maxAnswer))
	if err != nil {
		return fmt.Errorf("connect to zookeeper: %w", err)
	}
	s.zk, s.calls = conn, newCalls(conn)

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range events { // closed when the library's loop has ended
		}
	}()
	var following sync.WaitGroup
	for _, f := range followers {
		following.Go(func() { f.run(s.ctx, s.calls, s.links) })
	}
	s.logLinks()
	s.cancel()
	s.close()
	following.Wait()
	select {
	case <-ended:
	case <-time.After(time.Second):
		s.log.Error("cannot stop the ZooKeeper client, leaving its goroutines behind")
	}
	return nil
}

// observe is called by the library's loop, which waits for it.
func (s *session) observe(event zk.Event) {
	if event.Type != zk.EventSession {
		s.data.observe(event)
		return
	}
	switch event.State {
	case zk.StateHasSession:
		s.found(event.Server)
	case zk.StateDisconnected:
		s.lost(event.Server)
	case zk.StateExpired:
		s.dialer.expired()
		s.linkLog.expired(event.Server)
	}
}

func (s *session) found(server string) {
	opened := s.dialer.open
	if opened.session != s.dialer.session {
		s.counters.sessions.Inc()
	}
	s.granted = opened.timeout
	s.status.found(server)
	s.links.establish(server, opened.session, opened)
}

func (s *session) lost(server string) {
	reason := "connection to " + server + " lost"
	if s.dialer.open != nil && s.dialer.open.fault != "" {
		reason = "connection to " + server + " ended: " + s.dialer.open.fault
	}
	if s.links.lose(s.status.get().Last, reason) {
		s.lostAt = time.Now()
		s.status.lost(reason)
	}
}

func (s *session) problem(sentence string) {
	if s.ctx.Err() == nil {
		s.status.lost(sentence)
	}
}

// refused gives up the session if servers keep closing the connection instead of
// resuming it, for longer than any server would keep the session. A server that lost its
// data does so forever: it rejects clients that have seen later changes than it has. See
// https://issues.apache.org/jira/browse/ZOOKEEPER-832.
func (s *session) refused() {
	if s.lostAt.IsZero() || time.Since(s.lostAt) < s.granted {
		return
	}
	select {
	case s.stale <- struct{}{}:
	default:
	}
}

// close ends the session, also on the server if connected. It returns within about a
// second.
//
// The library's Close queues a request and waits a second for its answer; if the queue is
// full, it waits two seconds to queue it. Its loop answers queued requests with an error
// only between two dials. It notices that it is to quit only there, or when a connection
// has just ended, where it answers none. So without a connection the loop is parked in
// Next until Close has queued its request.
func (s *session) close() {
	s.calls.close(queueTimeout)
	patience := closeTimeout
	if _, established := s.links.get(); !established {
		patience = queueTimeout
		s.hosts.stop()
		s.dialer.close()
		<-s.hosts.parked
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.zk.Close()
	}()
	select {
	case <-closed:
	case <-time.After(patience):
	}
	s.hosts.stop()
	s.hosts.unpark()
	s.dialer.close()
	<-closed
}

// printer is the library's logger.
type printer struct{ log *slog.Logger }

func (p printer) Printf(format string, args ...any) {
	if p.log.Enabled(context.Background(), slog.LevelDebug) {
		p.log.Debug("message of the ZooKeeper client", "text", fmt.Sprintf(format, args...))
	}
}

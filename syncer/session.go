package syncer

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	// maxAnswer bounds an answer: some hundred thousand children.
	maxAnswer = 16 << 20

	// politely is how long a server may take to close the session.
	politely = 500 * time.Millisecond
	// queueing is ample for the library to queue a request.
	queueing = 10 * time.Millisecond
)

// session is one connection object of the library and what belongs to it. The
// library renews the session inside it when it has expired.
type session struct {
	options  Options
	contact  *contact
	counters counters
	log      *slog.Logger

	ctx    context.Context // ends the session
	cancel context.CancelFunc
	hosts  *hosts
	dialer *dialer
	links  *links
	zk     *zk.Conn
	calls  *calls
	stale  chan struct{} // takes one token when no server wants the session

	// Only the library's loop uses these.
	lostAt  time.Time     // zero before the first loss
	granted time.Duration // the session timeout
}

func newSession(ctx context.Context, o Options, connect connectFunc, c *contact, n counters) *session {
	s := &session{
		options: o, contact: c, counters: n, log: o.Logger,
		links: &links{link: newLink()},
		stale: make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	// The dialer outlives ctx: a session is closed over its open connection.
	s.dialer = newDialer(context.WithoutCancel(ctx), connector(connect, o.Secure), len(o.Servers))
	s.dialer.auth = o.Auth
	s.dialer.heard = c.hear
	s.dialer.problem = s.problem
	s.dialer.cut = s.refused
	s.hosts = newHosts(s.dialer.connected)
	return s
}

// run follows until ctx is done or the session is of no more use.
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
	s.attend()
	s.cancel()
	s.close()
	following.Wait()
	select {
	case <-ended:
	case <-time.After(time.Second):
		s.log.Error("zookeeper client does not end, its goroutines are left behind")
	}
	return nil
}

// observe is called by the library's loop, which waits for it.
func (s *session) observe(event zk.Event) {
	if event.Type != zk.EventSession {
		return
	}
	switch event.State {
	case zk.StateHasSession:
		s.found(event.Server)
	case zk.StateDisconnected:
		s.lost(event.Server)
	case zk.StateExpired:
		s.dialer.expired()
		s.log.Warn("session expired, reading everything again", "server", event.Server)
	}
}

func (s *session) found(server string) {
	opened := s.dialer.open
	if opened.session != s.dialer.session {
		s.counters.sessions.Inc()
	}
	s.granted = opened.timeout
	s.contact.found()
	s.links.establish(server, opened.session)
}

func (s *session) lost(server string) {
	if s.links.lose(s.contact.get().Last) {
		s.lostAt = time.Now()
		s.contact.lost("connection to " + server + " lost")
	}
}

func (s *session) problem(sentence string) {
	if s.ctx.Err() == nil {
		s.contact.lost(sentence)
	}
}

// refused gives the session up when a server keeps closing the connection
// instead of resuming it, after the time that any server would keep it for. A
// server that lost its data does so forever: it does not talk to a client that
// has seen later changes than itself. See
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

// close ends the session, at the server too when there is a connection. It
// returns within about a second.
//
// The library's Close queues a request and waits a second for its answer; with
// a full queue it waits two seconds to queue it. Its loop answers queued
// requests by an error only between two dials, and sees that it shall quit only
// there or when a connection has just ended, where it answers none. So without
// a connection the loop is brought to Next and held there until Close has
// queued its request.
func (s *session) close() {
	s.calls.close(queueing)
	patience := politely
	if _, established := s.links.get(); !established {
		patience = queueing
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
	s.hosts.release()
	s.dialer.close()
	<-closed
}

// printer is the library's logger.
type printer struct{ log *slog.Logger }

func (p printer) Printf(format string, args ...any) {
	if p.log.Enabled(context.Background(), slog.LevelDebug) {
		p.log.Debug("zookeeper client", "text", fmt.Sprintf(format, args...))
	}
}
